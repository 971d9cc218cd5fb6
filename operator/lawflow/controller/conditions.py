"""Conditions as Kubernetes writes them: a list keyed by type, whose times change only when the status does. Pure."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lawflow.identity.validity import rfc3339
from lawflow.store.protocol import Object

MESSAGE_LENGTH = 1024
"""Longest message: enough for a finding with its fix, and short on a terminal."""


@dataclass(frozen=True)
class Observation:
    """What a condition is to say."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def conditions(
    observed: Iterable[Observation], previous: Sequence[Object], generation: int, now: dt.datetime
) -> list[Object]:
    """The list for ``status.conditions``; a condition whose status is as before keeps its lastTransitionTime."""
    before = {condition["type"]: condition for condition in previous}
    found = []
    for each in observed:
        old = before.get(each.type, {})
        unchanged = old.get("status") == each.status and old.get("lastTransitionTime")
        found.append(
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message[:MESSAGE_LENGTH],
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if unchanged else rfc3339(now),
            }
        )
    return found


def condition(status: Mapping[str, Any] | None, type_: str) -> Object:
    """The condition of a type, or an empty object."""
    return next((each for each in (status or {}).get("conditions") or () if each["type"] == type_), {})


def transitions(previous: Mapping[str, Any] | None, status: Mapping[str, Any]) -> list[Object]:
    """Conditions whose status is not as before."""
    return [
        each
        for each in status.get("conditions") or ()
        if condition(previous, each["type"]).get("status") != each["status"]
    ]
