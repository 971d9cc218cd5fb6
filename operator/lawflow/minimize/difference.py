"""What does not pass of a message as it came: the message before and after the minimizer, compared.

Nothing here decides what passes. Names alone are told, never values, and names that look like values are told as ``*``.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_plus

from lawflow.minimize.document import EMPTY, DocumentError, Members, Path, by_path, documents
from lawflow.minimize.shape import escaped, fields_of, looks_like_value
from lawflow.model.operation import Payload
from lawflow.native.minimizer import Message

_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
"""Lets zlib tell the two formats apart by their first bytes."""


@dataclass(frozen=True)
class Change:
    """A part of a message that is dropped, or passes with another value."""

    place: Literal["field", "header", "query"]
    name: str
    """JSON Pointer of a field, with ``*`` for elements and for names that vary, empty for the body as a whole; or the
    name of a header or query parameter."""
    fate: Literal["dropped", "changed"]
    reason: str
    """Why it is dropped: ``undeclared``, ``drop`` (declared to be dropped), ``empty`` (an array or object that holds
    nothing and of which nothing is declared), or, of headers about a body that is another one now, ``recomputed``,
    ``decoded`` or ``no-body``. Or the protection that changed it."""


def changes(
    message: Message,
    payload: Payload,
    headers: Sequence[tuple[str, str]],
    path: str,
    before: bytes,
    after: bytes,
    *,
    drops_body: bool,
) -> list[Change]:
    """Every difference, first of the head and then of the body; ``headers``, ``path`` and ``before`` are what came."""
    found = [*_headers(message, payload)]
    if message.path is not None:
        found += _query(message, payload, path, message.path)
    if before:
        found += _fields(message, payload, _decoded(before, headers), after, _is_form(headers), drops_body)
    return list(dict.fromkeys(found))


def _headers(message: Message, payload: Payload) -> Iterator[Change]:
    declared = {each.name.lower() for each in payload.headers if each.protect == "drop"}
    for name, reason in message.dropped_headers:
        yield Change("header", name, "dropped", "drop" if name in declared else reason)
    for name, protection in message.changed_headers:
        yield Change("header", name, "changed", protection)


def _query(message: Message, payload: Payload, before: str, after: str) -> Iterator[Change]:
    declared = {each.name for each in payload.query if each.protect == "drop"}
    passed = dict(_pairs(after.partition("?")[2]))
    for written, value in _pairs(before.partition("?")[2]):
        name = unquote_plus(written)
        told = "*" if looks_like_value(name) else name
        if written not in passed:
            yield Change("query", told, "dropped", "drop" if name in declared else "undeclared")
        elif passed[written] != value:
            yield Change("query", told, "changed", message.query_protection(name) or "")


def _fields(
    message: Message, payload: Payload, before: bytes, after: bytes, is_form: bool, drops_body: bool
) -> Iterator[Change]:
    read = _form if is_form else documents
    try:
        came, left = read(before), [] if drops_body else read(after)
    except DocumentError:
        # Of a body that is dropped as a whole, nobody asks what it is.
        yield Change("field", "", "dropped", "undeclared")
        return
    values, passed = by_path(came), by_path(left)
    fields = fields_of(came)
    declared = [field.pointer for field in payload.fields if field.protect == "drop"]
    for place, written in values.items():
        remaining = passed.get(place, [])
        singles, kept = _singles(written), _singles(remaining)
        if len(kept) < len(singles):
            reason = "drop" if any(_names(pointer, place) for pointer in declared) else "undeclared"
            yield Change("field", fields.pointer(place), "dropped", reason)
        elif kept != singles:
            yield Change("field", fields.pointer(place), "changed", message.field_protection(place) or "")
        if remaining.count(EMPTY) < written.count(EMPTY):
            yield Change("field", fields.pointer(place), "dropped", "empty")


def _singles(values: list[Any]) -> list[Any]:
    return [value for value in values if value != EMPTY]


def _names(pointer: str, path: Path) -> bool:
    """Whether a declared pointer names the value at a path."""
    names = pointer.split("/")[1:]
    if names[-1:] == ["**"]:
        names = names[:-1]
        path = path[: len(names)]
    return len(names) == len(path) and all(
        name == "*" or (step is not None and name == escaped(step)) for name, step in zip(names, path, strict=True)
    )


def _form(text: bytes) -> list[Any]:
    pairs = _pairs(text.decode(errors="replace"))
    return [Members(tuple((unquote_plus(name), value) for name, value in pairs))]


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    """Names and values of a query or form as they were written."""
    return [(pair.partition("=")[0], pair.partition("=")[2]) for pair in text.split("&") if pair]


def _header(headers: Iterable[tuple[str, str]], wanted: str) -> str:
    lower: Mapping[str, str] = {name.lower(): value for name, value in headers}
    return lower.get(wanted, "").lower()


def _is_form(headers: Iterable[tuple[str, str]]) -> bool:
    return _header(headers, "content-type").partition(";")[0].strip() == "application/x-www-form-urlencoded"


def _decoded(body: bytes, headers: Iterable[tuple[str, str]]) -> bytes:
    if _header(headers, "content-encoding").strip() in ("", "identity"):
        return body
    try:
        return zlib.decompress(body, _ZLIB_OR_GZIP)
    except zlib.error:
        return body
