"""Proposes the fields of a message from samples of its body."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from lawflow.minimize.categories import TODO, guess
from lawflow.minimize.shape import fields_of

LONGEST = 512
"""Characters of the longest pointer that a DataFlow can declare."""
MOST = 256
"""Fields that one message of an operation can declare."""


@dataclass(frozen=True)
class Field:
    """A field to declare."""

    pointer: str
    category: str


@dataclass(frozen=True)
class Suggestion:
    """What samples hold."""

    fields: tuple[Field, ...]
    hollow: tuple[str, ...]
    """Pointers to what was empty in all samples, so that its fields are not known."""
    too_long: int = 0
    """Pointers that no DataFlow can declare."""

    @property
    def open(self) -> int:
        """Fields whose category a person has to decide."""
        return sum(field.category == TODO for field in self.fields)


def suggest(samples: Iterable[Any], categories: Collection[str]) -> Suggestion:
    """The fields under which every single value of the samples passes; ``categories`` is the vocabulary.

    A sample that is a single value itself has no field.
    """
    found = fields_of(samples)
    pointers = [pointer for pointer in found.pointers() if pointer]
    short = [pointer for pointer in pointers if len(pointer) <= LONGEST]
    fields = tuple(Field(pointer, guess(_last_name(pointer), categories)) for pointer in short)
    return Suggestion(fields, tuple(found.hollow()), len(pointers) - len(short))


def as_yaml(suggestion: Suggestion, part: str | None = None) -> Iterator[str]:
    """The lines of ``fields:`` as they stand in an operation, below ``request:`` or ``response:`` where ``part`` is."""
    indent = ""
    if part is not None:
        yield f"{part}:"
        indent = "  "
    yield f"{indent}fields:" + ("" if suggestion.fields else " []")
    for field in suggestion.fields:
        written = _flow({"pointer": field.pointer, "category": field.category})
        comment = " # TODO: category" if field.category == TODO else ""
        yield f"{indent}  - {written}{comment}"
    for pointer in suggestion.hollow:
        yield f"{indent}  # empty in all samples, so its fields are not known: {_flow(pointer)}"


def _last_name(pointer: str) -> str:
    """The name that tells what a pointer leads to; elements of an array are what the array is called."""
    names = [name for name in pointer.split("/") if name != "*"]
    return names[-1] if names else ""


def _flow(value: Any) -> str:
    """One line of YAML. Where a name holds what cannot be printed, all is quoted, so that escapes can say it."""
    texts = value.values() if isinstance(value, dict) else [value]
    text = yaml.safe_dump(
        value,
        default_flow_style=True,
        default_style=None if all(each.isprintable() for each in texts) else '"',
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    return text.removesuffix("\n").removesuffix("\n...")
