"""Changes to objects written into the text that they came from, so that comments, order and unknown fields stay.

Documents in which nothing changes are not touched at all. A changed one is parsed with its comments, changed where its
object changed, and written; then it is read back, and if that is not exactly the object asked for (anchors that two
objects share, say), it is written afresh without comments.
"""

import copy
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml as plain_yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lawflow.manifest import LocatedObject, read

Object = dict[str, Any]
Change = Callable[[LocatedObject], Object | None]
"""The changed form of an object, or ``None`` where it stays as it is."""

_DOCUMENT = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_NESTED_SEQUENCE = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)
_NO_FOLDING = 1 << 30


def rewritten(text: str, file: str, change: Change) -> str:
    """The text with every object changed as ``change`` says; it must hold no problems for ``manifest.read``."""
    return "".join(_document(part, file, change) for part in _DOCUMENT.split(text))


def _document(text: str, file: str, change: Change) -> str:
    objects = read(text, file).objects
    changes = [change(each) for each in objects]
    if not any(changes):
        return text
    expected = [each.object if changed is None else changed for each, changed in zip(objects, changes, strict=True)]
    edited = _edited(text, [(each.object, after) for each, after in zip(objects, expected, strict=True)])
    if edited is not None and [each.object for each in read(edited, file).objects] == expected:
        return edited
    start = "---\n" if text.startswith("---") else ""
    return start + plain_yaml.safe_dump_all(expected, sort_keys=False, width=_NO_FOLDING)


def _edited(text: str, changes: list[tuple[Object, Object]]) -> str | None:
    start, body = _split_marker(text)
    load, dump = _json(body) if body.lstrip().startswith("{") else _yaml(body)
    try:
        documents = load(body)
        nodes = [node for document in documents for node in _members(document)]
        if len(nodes) != len(changes):
            return None
        for node, (before, after) in zip(nodes, changes, strict=True):
            _graft(node, before, after)
        return start + dump(documents)
    except (YAMLError, ValueError):
        return None


def _split_marker(text: str) -> tuple[str, str]:
    """The line of the document marker, whose comment would move to another line, and the rest."""
    line, end, body = text.partition("\n")
    beside = line.removeprefix("---").strip()
    return (line + end, body) if text.startswith("---") and (not beside or beside.startswith("#")) else ("", text)


def _json(text: str) -> tuple[Callable[[str], list[Any]], Callable[[list[Any]], str]]:
    """How to read and write a document of JSON, with the indentation that it has."""
    indentation = re.match(r"\s*\{\s*\n( *)", text)

    def dump(documents: list[Any]) -> str:
        return json.dumps(documents[0], indent=len(indentation[1]) if indentation else None, ensure_ascii=False) + "\n"

    return lambda body: [json.loads(body)], dump


def _yaml(text: str) -> tuple[Callable[[str], list[Any]], Callable[[list[Any]], str]]:
    """How to read and write documents of YAML with their comments, in the style that they have."""
    round_trip = YAML(typ="rt", pure=True)
    round_trip.preserve_quotes = True
    round_trip.width = _NO_FOLDING
    nested = _NESTED_SEQUENCE.search(text)
    offset = len(nested[2]) - len(nested[1]) if nested else 0
    round_trip.indent(mapping=2, sequence=offset + 2, offset=offset)

    def dump(documents: list[Any]) -> str:
        out = io.StringIO()
        round_trip.dump_all(documents, out)
        return out.getvalue()

    return lambda body: list(round_trip.load_all(body)), dump


def _members(document: Any) -> Iterator[Any]:
    """The nodes of the objects that ``manifest.read`` finds in a document, in its order."""
    if not isinstance(document, Mapping):
        return
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _members(item)
    elif not str(document.get("apiVersion")).startswith("kustomize.config.k8s.io/"):
        yield document


def _graft(node: Any, before: Object, after: Object) -> None:
    """Write into a parsed document what differs between two forms of its object; nothing is ever removed."""
    for key, value in after.items():
        old = before.get(key)
        if key in before and old == value:
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            _graft(node[key], old, value)
        elif isinstance(old, list) and isinstance(value, list) and old:
            _extend(node, key, old, value)
        else:
            node[key] = copy.deepcopy(value)


def _extend(node: Any, key: str, old: list[Any], new: list[Any]) -> None:
    """Put new members around the old ones, which keep their comments."""
    position = next((at for at in range(len(new)) if new[at : at + len(old)] == old), None)
    if position is None:
        node[key] = copy.deepcopy(new)
        return
    for at, member in enumerate(new[:position]):
        node[key].insert(at, copy.deepcopy(member))
    for member in new[position + len(old) :]:
        node[key].append(copy.deepcopy(member))
