"""Manifests: text in, plain objects out, each with the line of every field. Pure: the caller reads the files.

YAML is read as ``kubectl apply`` reads it (sigs.k8s.io/yaml: YAML 1.1 booleans, so an unquoted ``NO`` is false; dates
stay strings; keys become strings), JSON as the YAML that it is but for its surrogate pairs. What ``kubectl`` would let
through in silence but what nobody means is a problem here: duplicate keys, aliases that expand without bound.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from lawflow.model.parse import Problem, path_of

MAXIMUM_DEPTH = 100
"""Levels of nesting; the deepest built-in kind has about 20."""
MAXIMUM_ALIASED_NODES = 100_000
"""Values that the aliases of one text may stand for in all: far above any manifest, far below a memory bomb."""

_DIRECTIVES = re.compile(r"(?:\s*[%#].*\n)*\s*")
"""What may stand before the first document: directives, which change nothing here, and comments."""
_BLANKS = re.compile(r"\s*")
_ESCAPE = re.compile(r"\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)|\\.")
"""An escape within a string of JSON; the groups are the halves of a surrogate pair (RFC 8259, section 7)."""
_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "merge": re.compile(r"<<"),
    "null": re.compile(r"|~|null|Null|NULL"),
    "bool": re.compile(r"y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF"),
    "int": re.compile(r"[-+]?(0[bB][01_]+|0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0|[1-9][0-9_]*)"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
}
"""What a plain scalar means, first match first; anything else is a string."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's parser with the scalars above instead of its own, which know dates and base 60."""

    yaml_implicit_resolvers: ClassVar = {
        None: [(_TAG + tag, re.compile(rf"(?:{pattern.pattern})\Z")) for tag, pattern in _SCALARS.items()]
    }
    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Stop at a depth that no manifest has: the composer recurses in C, and would end the process."""
        self._depth += 1
        if current_node is not None and self._depth > MAXIMUM_DEPTH + 1:
            raise _too_deep(current_node)

    def ascend_resolver(self) -> None:
        """Leave the node that ``descend_resolver`` entered."""
        self._depth -= 1


@dataclass(frozen=True)
class LocatedProblem:
    """Something in a text that cannot be used, and where."""

    file: str
    line: int
    """From 1; 0 for the file as a whole."""
    path: str
    message: str
    fix: str

    def __str__(self) -> str:
        file = f"{self.file}:{self.line}" if self.line else self.file
        where = "" if self.path in ("", ".") else f"{self.path}: "
        return f"{file}: {where}{self.message}; {self.fix}"


@dataclass(frozen=True)
class LocatedObject:
    """A Kubernetes object as decoded JSON, with the place that it was read from."""

    object: dict[str, Any]
    file: str
    _node: yaml.Node = field(repr=False, compare=False)
    _offset: int = field(default=0, repr=False, compare=False)

    def line(self, path: str = ".") -> int:
        """The line (from 1) of the field at a path such as ``.spec.purposes[0]``, or of its nearest existing parent."""
        return self._offset + _line(self._node, path)

    def problem(self, problem: Problem) -> LocatedProblem:
        """A problem of this object, with its place."""
        return LocatedProblem(self.file, self.line(problem.path), problem.path, problem.message, problem.fix)


@dataclass(frozen=True)
class Manifest:
    """What one text holds: the objects that could be read, and everything that could not."""

    objects: tuple[LocatedObject, ...] = ()
    problems: tuple[LocatedProblem, ...] = ()


class _RejectedError(ValueError):
    def __init__(self, node: yaml.Node, path: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.node, self.path, self.message, self.fix = node, path, message, fix


def _too_deep(node: yaml.Node) -> _RejectedError:
    return _RejectedError(node, "", f"nested deeper than {MAXIMUM_DEPTH} levels", "flatten it")


_Report = Callable[[int, str, str, str], None]
"""Takes line, path, message and fix of a problem."""


def read(text: str | bytes, file: str) -> Manifest:
    """The objects in a text of YAML or JSON documents, members of ``List`` kinds one by one; never raises.

    ``file`` is the name that places and problems carry.
    """
    objects: list[LocatedObject] = []
    problems: list[LocatedProblem] = []

    def report(line: int, path: str, message: str, fix: str) -> None:
        problems.append(LocatedProblem(file, line, path, message, fix))

    if isinstance(text, bytes):
        data = text
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            report(line, "", f"byte {error.start} is not UTF-8", "save the file as UTF-8")
            return Manifest((), tuple(problems))
    builder = _Builder()
    offset = 0
    for part in _parts(text.removeprefix("\ufeff")):
        if _DIRECTIVES.fullmatch(part):
            offset += part.count("\n")
            continue
        try:
            for document in yaml.compose_all(part, _Loader):
                value = builder.value(document)
                if value is not None:
                    objects.extend(_objects(value, document, file, offset, report))
        except _RejectedError as error:
            report(offset + _start(error.node), error.path, error.message, error.fix)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = " ".join(text for text in (error.context, error.problem) if text)
            line = min(mark.line + 1 if mark else 1, len(part.splitlines()))
            fix = "render the template first" if "{{" in part else "correct the syntax"
            report(offset + line, "", f"not YAML: {message}", fix)
        except yaml.reader.ReaderError as error:
            line = offset + part.count("\n", 0, error.position) + 1
            report(line, "", f"a character that YAML does not allow: {error.character!r}", "remove it")
        except (yaml.YAMLError, RecursionError) as error:
            report(offset + 1, "", f"not YAML: {str(error).splitlines()[0]}", "correct the syntax")
        offset += part.count("\n")
    return Manifest(tuple(objects), tuple(problems))


def _parts(text: str) -> Iterator[str]:
    """The documents of a text, each as YAML."""
    # A line that starts with --- ends a document wherever it stands, so one broken document does not hide the others.
    for part in re.split(r"^(?=---(?:\s|$))", text, flags=re.MULTILINE):
        yield from _json_documents(part) or [part]


def _json_documents(part: str) -> list[str]:
    """The documents of JSON that follow each other, in YAML's way of writing them; none where it is something else."""
    start, end = 0, _after_blanks(part, 3 if part.startswith("---") else 0)
    if not part.startswith("{", end):
        return []
    documents = []
    try:
        while end < len(part):
            end = _after_blanks(part, json.JSONDecoder().raw_decode(part, end)[1])
            documents.append(_ESCAPE.sub(_scalar_value_escape, part[start:end]))
            start = end
    except (ValueError, RecursionError):
        return []
    return documents


def _after_blanks(text: str, start: int) -> int:
    blanks = _BLANKS.match(text, start)
    return blanks.end() if blanks else start


def _scalar_value_escape(escape: re.Match[str]) -> str:
    """An escape of YAML, which has one for every character but none for the halves that JSON is written in."""
    if escape[1] is None:
        return escape[0]
    return f"\\U{0x10000 + ((int(escape[1], 16) & 0x3FF) << 10) + (int(escape[2], 16) & 0x3FF):08x}"


def _objects(value: Any, node: yaml.Node, file: str, offset: int, report: _Report) -> Iterator[LocatedObject]:
    if not isinstance(value, dict):
        message = f"a document holds {_name(value)}, not an object"
        report(offset + _start(node), "", message, "start it with apiVersion and kind")
        return
    kind = value.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items", 0), list | None):
        items = value["items"] or []
        found = next((child for key, child in node.value if key.value == "items"), None)
        # Items that came by a merge key have no place of their own here.
        nodes = found.value if isinstance(found, yaml.SequenceNode) else [node] * len(items)
        for position, (item, child) in enumerate(zip(items, nodes, strict=True)):
            # The API server leaves apiVersion and kind out of the members of a typed list.
            if isinstance(item, dict) and kind != "List" and "kind" not in item:
                item = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List"), **item}
            if isinstance(item, dict):
                yield from _objects(item, child, file, offset, report)
            else:
                report(offset + _start(child), f".items[{position}]", f"{_name(item)} is not an object", "remove it")
        return
    if str(value.get("apiVersion")).startswith("kustomize.config.k8s.io/"):
        return  # a file for kustomize, which is no object of any cluster
    problems = list(_problems(value))
    for problem in problems:
        report(offset + _line(node, problem.path), problem.path, problem.message, problem.fix)
    if not problems:
        yield LocatedObject(value, file, node, offset)


def _problems(value: dict[str, Any]) -> Iterator[Problem]:
    """What keeps a map from being a Kubernetes object with a name."""
    for key in ("apiVersion", "kind"):
        if not isinstance(value.get(key), str) or not value[key]:
            yield Problem(f".{key}", "required field is missing", "a Kubernetes object names its apiVersion and kind")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        yield Problem(".metadata", "required field is missing", "add metadata with a name")
        return
    if not metadata.get("name") and not metadata.get("generateName"):
        yield Problem(".metadata.name", "required field is missing", "name the object")
    for key in ("name", "generateName", "namespace"):
        if not isinstance(metadata.get(key, ""), str | None):
            yield Problem(f".metadata.{key}", f"{_name(metadata[key])} is not a string", "quote it")
    for key in ("labels", "annotations"):
        entries = metadata.get(key) or {}
        if not isinstance(entries, dict):
            yield Problem(f".metadata.{key}", f"{_name(entries)} is not a map", "write name: value pairs")
            continue
        for name, entry in entries.items():
            if not isinstance(entry, str):
                yield Problem(f".metadata.{key}.{name}", f"{_name(entry)} is not a string", "quote it")


class _Builder:
    """Turns nodes of YAML into plain values, with a budget for what aliases may expand to."""

    def __init__(self) -> None:
        self.aliased = 0

    def value(self, node: yaml.Node | None) -> Any:
        """The plain value of a document. Raises _RejectedError where it is not one that JSON could hold."""
        return None if node is None else self._value(node, [], set(), (), False)

    def _value(
        self, node: yaml.Node, path: list[str | int], seen: set[int], above: tuple[int, ...], aliased: bool
    ) -> Any:
        if isinstance(node, yaml.ScalarNode):
            if aliased:
                self._spend(node)
            return _scalar(node, path)
        if id(node) in above:
            raise _RejectedError(node, path_of(path), "an alias contains itself", "write the value out")
        if len(above) >= MAXIMUM_DEPTH:
            raise _too_deep(node)
        aliased = aliased or id(node) in seen
        seen.add(id(node))
        if aliased:
            self._spend(node)
        above = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [
                self._value(child, [*path, position], seen, above, aliased) for position, child in enumerate(node.value)
            ]
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, child in node.value:
            if key_node.tag == _TAG + "merge":
                sources = child.value if isinstance(child, yaml.SequenceNode) else [child]
                for source in sources:
                    value = self._value(source, path, seen, above, aliased)
                    if not isinstance(value, dict):
                        raise _RejectedError(child, path_of(path), "<< merges maps only", "name an anchor of a map")
                    merged = {**value, **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise _RejectedError(key_node, path_of(path), "a key is not a scalar", "use a string")
            key = key_node.value
            if key in out:
                raise _RejectedError(key_node, path_of([*path, key]), "the key occurs twice", "remove one of them")
            out[key] = self._value(child, [*path, key], seen, above, aliased)
        return {**merged, **out} if merged else out

    def _spend(self, node: yaml.Node) -> None:
        self.aliased += 1
        if self.aliased > MAXIMUM_ALIASED_NODES:
            message = f"aliases stand for more than {MAXIMUM_ALIASED_NODES} values"
            raise _RejectedError(node, "", message, "write the values out")


def _scalar(node: yaml.ScalarNode, path: Sequence[str | int]) -> Any:
    text: str = node.value
    try:
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text[0] in "yYtT" or text in ("on", "On", "ON")
            case "int":
                return _integer(text.replace("_", ""))
            case "float":
                return float(text)
    except ValueError:
        raise _RejectedError(node, path_of(path), f"{text!r} is not what its tag says", "remove the tag") from None
    raise _RejectedError(node, path_of(path), f"the tag {node.tag} has no meaning here", "remove the tag")


def _integer(text: str) -> int:
    sign, digits = text[: text[:1] in "+-"], text.lstrip("+-")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return int(sign + digits, 8 if octal else 0)


def _start(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line


def _name(value: object) -> str:
    names = {list: "a list", dict: "a map", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _line(node: yaml.Node, path: str) -> int:
    line = _start(node)
    while path not in ("", "."):
        if isinstance(node, yaml.MappingNode) and path.startswith("."):
            # Keys may contain dots (annotations do), so the longest one that the path goes on with counts.
            matches = [
                (key, child)
                for key, child in node.value
                if path.startswith(key.value, 1) and path[1 + len(key.value) : 2 + len(key.value)] in ("", ".", "[")
            ]
            if not matches:
                return line
            key, node = max(matches, key=lambda match: len(match[0].value))
            path = path[1 + len(key.value) :]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and (match := re.match(r"\[(\d+)\]", path)):
            position = int(match[1])
            if position >= len(node.value):
                return line
            node = node.value[position]
            path = path[match.end() :]
            line = _start(node)
        else:
            return line
    return line
