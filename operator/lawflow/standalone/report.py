"""What happens on a host, as events that a program can test and a person can read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EventKind = Literal["watching", "admitted", "denied", "warning", "ready", "ended", "rotated", "problem"]


@dataclass(frozen=True)
class Event:
    """One thing that happened; ``subject`` names what it happened to, e.g. ``Deployment shop/orders``."""

    kind: EventKind
    subject: str
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


Report = Callable[[Event], None]
"""Takes each event once, in order."""
