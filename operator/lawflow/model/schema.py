"""CustomResourceDefinitions from the types: structural schemas that ``kubectl explain`` reads as documentation."""

from collections.abc import Mapping
from typing import Any

from lawflow.model.base import GROUP, VERSION
from lawflow.model.kinds import CUSTOM_KINDS, CustomKind

_DROPPED = ("title", "const", "additionalProperties", "discriminator")


def custom_resource_definition(kind: CustomKind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, as a plain object."""
    document = kind.model.model_json_schema(by_alias=True)
    definitions = document.get("$defs", {})
    properties = {
        name: _structural(part, definitions)
        for name, part in document["properties"].items()
        if name in ("spec", "status")
    }
    properties["spec"]["description"] = properties["spec"].get("description", "")
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": kind.model.__doc__,
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
                    "kind": {"type": "string", "description": kind.name},
                    "metadata": {"type": "object"},
                    **properties,
                },
            }
        },
        "additionalPrinterColumns": [dict(column) for column in kind.printer_columns],
    }
    if kind.status:
        version["subresources"] = {"status": {}}
    names: dict[str, Any] = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.singular,
        "categories": ["lawflow"],
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "lawflow"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": names,
            "versions": [version],
        },
    }


def custom_resource_definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of all kinds, in the order of :data:`lawflow.model.kinds.CUSTOM_KINDS`."""
    return [custom_resource_definition(kind) for kind in CUSTOM_KINDS]


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """One JSON Schema node in Kubernetes' structural form: references inlined, null dropped, no free keywords."""
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        return _structural({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    if "anyOf" in node:
        (present,) = [option for option in node["anyOf"] if option.get("type") != "null"]
        rest = {
            key: value for key, value in node.items() if key != "anyOf" and not (key == "default" and value is None)
        }
        return _structural({**present, **rest}, definitions)
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: _structural(part, definitions) for name, part in value.items()}
        elif key == "items" or (key == "additionalProperties" and isinstance(value, Mapping)):
            out[key] = _structural(value, definitions)
        elif key == "default":
            # A default for a whole object would be written into every stored object; the types hold it.
            if not isinstance(value, dict | list) and value is not None:
                out[key] = value
        elif key == "description":
            out[key] = " ".join(value.split())
        elif key not in _DROPPED:
            out[key] = value
    if node.get("type") == "array" and "minItems" in out and out["minItems"] == 0:
        del out["minItems"]
    if "const" in node:
        out["enum"] = [node["const"]]
    return out
