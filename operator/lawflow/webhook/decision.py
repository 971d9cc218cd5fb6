"""What the gate answers to one admission review."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WARNING_LENGTH = 240
"""The API server may cut a warning beyond 256 characters, and drops one with a line break."""

FORBIDDEN = 403
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Decision:
    """Admit or refuse, and what to tell; ``patch`` is a JSON Patch (RFC 6902) of the object."""

    allowed: bool = True
    message: str = ""
    code: int = FORBIDDEN
    warnings: tuple[str, ...] = ()
    audit: Mapping[str, str] = field(default_factory=dict)
    patch: tuple[Mapping[str, Any], ...] = ()
    break_glass: str = ""
    """The reason given for passing the gate: a refusal turns into a warning if the user holds the verb ``bypass``."""


ALLOWED = Decision()


def warning(text: str) -> str:
    """The text as one line that the API server hands on whole."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return line if len(line) <= WARNING_LENGTH else line[: WARNING_LENGTH - 1] + "…"
