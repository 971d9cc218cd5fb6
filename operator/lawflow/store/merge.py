"""JSON merge patches (RFC 7386) on decoded JSON."""

from collections.abc import Mapping
from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """``target`` changed by ``patch``: maps are merged, ``None`` removes, anything else replaces."""
    return _merge(target, patch, keep_null=False)


def compose(first: Any, second: Any) -> Any:
    """One patch that does what ``first`` and then ``second`` do."""
    return _merge(first, second, keep_null=True)


def _merge(target: Any, patch: Any, *, keep_null: bool) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, part in patch.items():
        if part is None and not keep_null:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), part, keep_null=keep_null)
    return result
