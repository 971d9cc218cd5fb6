"""JSON documents as the paths to their single values, without any opinion on what may pass."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Step: TypeAlias = str | None
"""The name of a member, or ``None`` for an element of an array."""
Path: TypeAlias = tuple[Step, ...]

EMPTY = "empty"
"""Stands for the value of an array or object that holds nothing."""


class DocumentError(ValueError):
    """A text that is no JSON; the message tells the place and never a part of the text."""


@dataclass(frozen=True)
class Members:
    """An object, as the members that were written, also those whose name stands twice."""

    pairs: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Number:
    """A number as it was written: its size and its digits are the document's own affair."""

    text: str


def documents(text: bytes) -> list[Any]:
    """The documents of a JSON or NDJSON text. Raises DocumentError for a text that is neither."""
    try:
        return [_parsed(text)]
    except DocumentError as whole:
        lines = [(number, line) for number, line in enumerate(text.split(b"\n"), 1) if line.strip()]
        if len(lines) < 2:
            raise
        # A text of which not even the first line is a document is broken JSON and not broken NDJSON.
        try:
            found = [_parsed(lines[0][1])]
        except DocumentError:
            raise whole from None
    for number, line in lines[1:]:
        try:
            found.append(_parsed(line))
        except DocumentError as error:
            raise DocumentError(f"line {number}: {error}") from None
    return found


def leaves(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every single value with its path, and :data:`EMPTY` for every array or object that holds nothing."""
    if isinstance(document, Members) and document.pairs:
        for name, value in document.pairs:
            yield from leaves(value, (*path, name))
    elif isinstance(document, list) and document:
        for value in document:
            yield from leaves(value, (*path, None))
    else:
        yield path, EMPTY if isinstance(document, Members | list) else (type(document), document)


def by_path(found: Iterable[Any]) -> dict[Path, list[Any]]:
    """The single values of documents under their paths, in the order in which they stand."""
    values: dict[Path, list[Any]] = {}
    for document in found:
        for path, value in leaves(document):
            values.setdefault(path, []).append(value)
    return values


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=lambda pairs: Members(tuple(pairs)),
            parse_int=Number,
            parse_float=Number,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError:
        raise DocumentError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        # Its message may quote a character.
        raise DocumentError(f"it is no JSON from line {error.lineno}, column {error.colno} on") from None
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None


def _no_constant(_: str) -> Any:
    raise DocumentError("it holds a number that JSON does not have (RFC 8259, section 6)")
