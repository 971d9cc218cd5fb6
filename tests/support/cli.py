"""What a command leaves behind."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Result:
    """The exit code of a command and what it wrote."""

    code: int
    out: str
    err: str


class Run(Protocol):
    """Runs ``lawflow`` with arguments, and bytes on standard input."""

    def __call__(self, *arguments: str, input: bytes = b"") -> Result: ...
