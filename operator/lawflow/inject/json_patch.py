"""JSON Patch (RFC 6902) from one object to another: what an admission response carries."""

from collections.abc import Mapping
from typing import Any

from lawflow.model.workload import Object


def json_patch(before: Object, after: Object) -> list[dict[str, Any]]:
    """Operations that turn ``before`` into ``after``.

    They step into mappings and replace lists as a whole: injection changes few lists, and a replaced list cannot go
    wrong by an index.
    """
    return _operations("", before, after)


def _operations(path: str, before: Object, after: Object) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = [
        {"op": "remove", "path": f"{path}/{_escaped(key)}"} for key in before if key not in after
    ]
    for key, value in after.items():
        where = f"{path}/{_escaped(key)}"
        if key not in before:
            operations.append({"op": "add", "path": where, "value": value})
        elif before[key] is value:
            continue
        elif isinstance(before[key], Mapping) and isinstance(value, Mapping):
            operations += _operations(where, before[key], value)
        elif before[key] != value:
            operations.append({"op": "replace", "path": where, "value": value})
    return operations


def _escaped(key: str) -> str:
    """A key as a reference token of a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")
