"""What the documents of one kind have in common: their fields as pointers, with ``*`` for what varies.

``*`` stands for every element of an array and for the names of maps. A name is taken for a map's where it looks like a
value itself: a number, a date, an address, an id with five digits in a row or sixteen hexadecimal ones, or more than 64
characters. All names of an object inside a document are a map's where there are 16 or more, all lead to the same, and
that is an object or array, or no document holds half of the names. Whatever is in doubt stays named, since a star lets
every name pass.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lawflow.minimize.document import Members, Path

MANY = 16
"""Names of the smallest object that may be a map by its size."""

_VALUE = re.compile(
    r"[-+]?\d[\d.,:/ _-]*"  # numbers, dates, IPv4 addresses, telephone numbers
    r"|\d{4}-\d\d-\d\dT.*"
    r"|.+@.+"
    r"|(?=.*\d)[0-9A-Fa-f-]{16,}"  # UUIDs and digests
    r"|(?=.*:.*:)[0-9A-Fa-f:.]+"  # IPv6 and MAC addresses
    r"|.*\d{5}.*"
    r"|.{65,}",
    re.DOTALL,
)


@dataclass
class Shape:
    """What stands at one place of documents."""

    members: dict[str, "Shape"] = field(default_factory=dict)
    element: "Shape | None" = None
    singles: set[str] = field(default_factory=set)
    """Types of the single values that stood there."""
    largest: int = 0
    """Names of the largest object there."""

    def add(self, document: Any) -> None:
        """Take in what one document has there."""
        if isinstance(document, Members):
            names = {name for name, _ in document.pairs}
            self.largest = max(self.largest, len(names))
            for name, value in document.pairs:
                self.members.setdefault(name, Shape()).add(value)
        elif isinstance(document, list):
            for value in document:
                self.element = self.element or Shape()
                self.element.add(value)
        else:
            self.singles.add(type(document).__name__)

    def merge(self, other: "Shape") -> None:
        """Take in what stands at another place."""
        self.singles |= other.singles
        self.largest = max(self.largest, other.largest)
        for name, below in other.members.items():
            self.members.setdefault(name, Shape()).merge(below)
        if other.element is not None:
            self.element = self.element or Shape()
            self.element.merge(other.element)


@dataclass
class Fields:
    """A tree of pointers."""

    named: dict[str, "Fields"]
    star: "Fields | None"
    is_leaf: bool

    @property
    def is_hollow(self) -> bool:
        """Whether only empty arrays and objects stood there."""
        return not (self.is_leaf or self.named or self.star)

    def pointers(self, stem: str = "") -> Iterator[str]:
        """The pointers to all single values, in the order in which they stood."""
        if self.is_leaf:
            yield stem
        for name, below in self.named.items():
            yield from below.pointers(f"{stem}/{escaped(name)}")
        if self.star is not None:
            yield from self.star.pointers(f"{stem}/*")

    def hollow(self, stem: str = "") -> Iterator[str]:
        """The pointers to what was always empty, so that nobody knows its fields."""
        if self.is_hollow:
            yield stem
        for name, below in self.named.items():
            yield from below.hollow(f"{stem}/{escaped(name)}")
        if self.star is not None:
            yield from self.star.hollow(f"{stem}/*")

    def pointer(self, path: Path) -> str:
        """The pointer under which a path of the documents falls."""
        here: Fields | None = self
        tokens = [""]
        for step in path:
            below = here.named.get(step) if here is not None and step is not None else None
            tokens.append("*" if below is None or step is None else escaped(step))
            here = below or (here.star if here is not None else None)
        return "/".join(tokens)


def fields_of(documents: Iterable[Any]) -> Fields:
    """The fields of documents."""
    shape = Shape()
    for document in documents:
        shape.add(document)
    return _fields(shape, may_be_map=False)


def escaped(name: str) -> str:
    """A name as a token of a pointer (RFC 6901, section 3), ``~2`` for a literal star."""
    return name.replace("~", "~0").replace("/", "~1").replace("*", "~2")


def looks_like_value(name: str) -> bool:
    """Whether a name looks like a value itself, by the rule above."""
    return _VALUE.fullmatch(name) is not None


def _fields(shape: Shape, *, may_be_map: bool) -> Fields:
    is_map = may_be_map and _is_map(shape)
    starred = [] if shape.element is None else [shape.element]
    named: dict[str, Fields] = {}
    for name, below in shape.members.items():
        if is_map or looks_like_value(name):
            starred.append(below)
        else:
            named[name] = _fields(below, may_be_map=True)
    star = None
    if starred:
        merged = Shape()
        for below in starred:
            merged.merge(below)
        star = _fields(merged, may_be_map=True)
    return Fields(named, star, bool(shape.singles))


def _is_map(shape: Shape) -> bool:
    forms = {_form(below) for below in shape.members.values()}
    if len(shape.members) < MANY or len(forms) > 1:
        return False
    return 2 * shape.largest <= len(shape.members) or all(not below.singles for below in shape.members.values())


def _form(shape: Shape) -> tuple[str, ...]:
    return (*sorted(shape.members), *(() if shape.element is None else ("[]",)), *sorted(shape.singles - {"NoneType"}))
