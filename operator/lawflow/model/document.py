"""The API reference as Markdown, from the same schemas that ``kubectl explain`` shows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lawflow.model.base import API_VERSION
from lawflow.model.kinds import CUSTOM_KINDS, CustomKind
from lawflow.model.schema import custom_resource_definition

_BOUNDS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("maxItems", "at most {} items"),
    ("maxProperties", "at most {} entries"),
)


def api_reference(kinds: Iterable[CustomKind] = CUSTOM_KINDS) -> str:
    """Every kind with every field: type, default, limits and meaning."""
    lines = [
        "# API reference",
        "",
        f"The custom resources of `{API_VERSION}`, generated from the types by `lawflow generate docs`.",
        "`kubectl explain dataflow.spec` shows the same in a terminal. Fields in bold are required by the schema; what",
        "the law asks for beyond that is in [rules.md](rules.md).",
        "",
    ]
    for kind in kinds:
        lines += _kind(kind)
    return "\n".join(lines).rstrip("\n") + "\n"


def _kind(kind: CustomKind) -> Iterator[str]:
    schema = custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    names = [f"`kubectl get {name}`" for name in (kind.plural, *kind.short_names)]
    yield f"## {kind.name}"
    yield ""
    yield schema["description"]
    yield ""
    yield f"{'Namespaced' if kind.namespaced else 'Cluster-scoped'}; {', '.join(names)}."
    yield ""
    for part in ("spec", "status"):
        if part in schema["properties"]:
            yield from _section(f"{kind.name} `.{part}`", f".{part}", schema["properties"][part])


def _section(title: str, path: str, node: Mapping[str, Any]) -> Iterator[str]:
    """One object as a table, and the objects in it after it."""
    properties: Mapping[str, Mapping[str, Any]] = node.get("properties", {})
    required = node.get("required", ())
    yield f"### {title}"
    yield ""
    if node.get("description"):
        yield _cell(node["description"])
        yield ""
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for name, field in properties.items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        yield f"| {shown} | {_type(field)} | {_cell(' '.join(_meaning(field)))} |"
    yield ""
    for validation in node.get("x-kubernetes-validations", ()):
        yield f"Refused: {validation['message']}."
        yield ""
    for name, field in properties.items():
        inner, suffix = _inner(field)
        if inner.get("properties"):
            where = f"{path}.{name}{suffix}"
            yield from _section(f"`{where}`", where, inner)


def _inner(field: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The object inside lists and maps, and how its path goes on."""
    if field["type"] == "array":
        return field["items"], "[]"
    if isinstance(field.get("additionalProperties"), Mapping):
        return field["additionalProperties"], ".*"
    return field, ""


def _type(field: Mapping[str, Any]) -> str:
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"map to {_type(field['additionalProperties'])}"
    return str(field.get("format") or field["type"])


def _meaning(field: Mapping[str, Any]) -> Iterator[str]:
    if "description" in field:
        yield field["description"]
    choices = field.get("enum") or field.get("items", {}).get("enum")
    if choices:
        yield "One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    if "default" in field and field["default"] != "":
        yield f"Default: `{str(field['default']).lower() if field['type'] == 'boolean' else field['default']}`."
    bounds = [words.format(field[key]) for key, words in _BOUNDS if key in field]
    if bounds:
        yield (", ".join(bounds) + ".").capitalize()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
