"""What sidecars can make of an operation's pointers. ``sidecar/core`` decides; here it is said before deployment.

A policy that a sidecar cannot read is refused as a whole, with every other flow to the same port.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lawflow.model.operation import Operation

SUBTREE = "**"
_UNKNOWN_ESCAPE = re.compile(r"~(?![012])")


@dataclass(frozen=True)
class Use:
    """A pointer into the body of an operation's request or response."""

    path: str
    """Where it stands in the operation, e.g. ``.request.fields[0].pointer``."""
    direction: str
    pointer: str
    is_changed: bool = False
    """Whether the value leaves as another than it is."""
    is_subject: bool = False
    """Whether the value names the data subject."""
    passes: bool = True

    @property
    def parts(self) -> list[str]:
        """The pointer's segments as they are written."""
        return self.pointer.split("/")[1:]


def uses(operation: Operation) -> Iterator[Use]:
    """Every pointer into a body of an operation, in the order in which it is written."""
    for direction, payload in (("request", operation.request), ("response", operation.response)):
        for index, field in enumerate(payload.fields if payload else ()):
            is_changed = field.protect not in ("pass", "drop")
            path = f".{direction}.fields[{index}].pointer"
            yield Use(path, direction, field.pointer, is_changed, passes=field.protect != "drop")
    subject = operation.subject
    if subject and subject.location == "body" and subject.name is not None:
        yield Use(".subject.name", "request", subject.name, is_subject=True, passes=False)


def unreadable(use: Use) -> str:
    """Why a pointer means nothing; empty where it means something."""
    if SUBTREE in use.parts[:-1]:
        return "goes on after **, which ends a pointer"
    if _UNKNOWN_ESCAPE.search(use.pointer):
        return "has a ~ that no 0, 1 or 2 follows"
    return ""


def watches_subtree(use: Use) -> bool:
    """Whether a whole subtree is to be changed, or to name the data subject."""
    return (use.is_changed or use.is_subject) and use.parts[-1] == SUBTREE
