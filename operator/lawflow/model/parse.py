"""Plain objects to types; what does not fit becomes problems with a path and a fix, never a traceback."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lawflow.model import constraint
from lawflow.model.base import API_VERSION, CustomResource
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import CUSTOM_KINDS, CustomKind
from lawflow.model.schema import custom_resource_definition

_KINDS = {kind.name: kind for kind in CUSTOM_KINDS}


@dataclass(frozen=True)
class Problem:
    """One way in which an object does not fit its schema."""

    path: str
    message: str
    fix: str


class InvalidObjectError(ValueError):
    """An object that does not fit the schema of its kind; ``problems`` says where and what to do."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))


def is_custom(obj: Mapping[str, Any]) -> bool:
    """Whether the object claims to be of the group ``lawflow.dev``."""
    return str(obj.get("apiVersion", "")).split("/", 1)[0] == API_VERSION.split("/", 1)[0]


def parse(obj: Mapping[str, Any]) -> CustomResource:
    """The typed form of an object of the group ``lawflow.dev``.

    Raises InvalidObjectError where the kind is unknown or the object does not fit its schema.
    """
    kind = _kind(obj)
    try:
        # As JSON and strictly, because the API server takes no "80" for a number and no "true" for a boolean.
        return kind.model.model_validate_json(json.dumps(obj, default=_plain), strict=True)
    except ValidationError as error:
        raise InvalidObjectError([problem_of(details, kind) for details in error.errors(include_url=False)]) from None


def data_flows(objects: Iterable[Mapping[str, Any]]) -> list[DataFlow]:
    """Those of the objects that are DataFlows and fit their schema, in order."""
    found = []
    for obj in objects:
        with suppress(InvalidObjectError):
            flow = parse(obj)
            if isinstance(flow, DataFlow):
                found.append(flow)
    return found


def _plain(value: object) -> object:
    """What JSON has no type for: read-only maps, and the dates of YAML loaders that know some."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def suggestion(word: str, candidates: Sequence[str]) -> str:
    """``did you mean X?`` for the closest candidate, or the empty string."""
    close = get_close_matches(word, candidates, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def _kind(obj: Mapping[str, Any]) -> CustomKind:
    name = obj.get("kind")
    if not isinstance(name, str) or name not in _KINDS:
        hint = suggestion(str(name), list(_KINDS)) or "use one of " + ", ".join(sorted(_KINDS))
        raise InvalidObjectError([Problem(".kind", f"{API_VERSION} has no kind {name!r}", hint)])
    if obj.get("apiVersion") != API_VERSION:
        message = f"version {obj.get('apiVersion')!r} is not served"
        raise InvalidObjectError([Problem(".apiVersion", message, f"use {API_VERSION}")])
    return _KINDS[name]


def path_of(location: Sequence[str | int]) -> str:
    """The path of a field in the form ``.spec.purposes[0].purpose``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location) or "."


def problem_of(details: ErrorDetails, kind: CustomKind | None = None) -> Problem:
    """An error of pydantic in terms of the object that was read; ``kind`` knows its fields."""
    location = details["loc"]
    path = path_of(location)
    match details["type"]:
        case "extra_forbidden":
            known = _properties(kind, location[:-1]) if kind else []
            fix = suggestion(str(location[-1]), known) or "remove it; known fields: " + ", ".join(known)
            return Problem(path, "unknown field", fix)
        case "missing":
            return Problem(path, "required field is missing", "add it")
        case "literal_error" | "enum":
            expected = details.get("ctx", {}).get("expected", "")
            return Problem(path, f"unsupported value {details['input']!r}", f"use {expected}")
        case "string_pattern_mismatch":
            pattern = details.get("ctx", {}).get("pattern", "")
            return Problem(path, f"{details['input']!r} has not the form that is asked for", f"it must match {pattern}")
        case "string_type":
            # YAML 1.1 takes NO and yes for booleans and 12 for a number: the country of that code is the known victim.
            return Problem(path, f"{details['input']!r} is not a string", "quote it")
        case "model_type" | "dict_type":
            return Problem(path, "is not a map", "write name: value pairs")
        case "list_type":
            return Problem(path, "is not a list", "begin each entry with a dash")
        case constraint.VIOLATED:
            context = details["ctx"]
            where = path.removesuffix(".") + context["field"] if context["field"] else path
            return Problem(where, context["message"], context["fix"])
        case _:
            return Problem(path, details["msg"][:1].lower() + details["msg"][1:], "correct the value")


@cache
def _schema(kind: CustomKind) -> dict[str, Any]:
    definition = custom_resource_definition(kind)
    schema: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _properties(kind: CustomKind, location: Sequence[str | int]) -> list[str]:
    node: dict[str, Any] = _schema(kind)
    for part in location:
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return sorted(node.get("properties", {}))
