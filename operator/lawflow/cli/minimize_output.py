"""What became of a message, in words for people and as a document for machines. Words never hold a value."""

import json
from collections.abc import Iterator
from typing import Any

from lawflow.minimize.attempt import Outcome, Refused
from lawflow.minimize.difference import Change

_REASONS = {
    "undeclared": "not declared",
    "drop": "declared with protect: drop",
    "empty": "it is empty, and nothing in it is declared",
    "recomputed": "its body is another one now",
    "decoded": "its body leaves uncompressed",
    "no-body": "no field is declared, so no body leaves",
}
_ADVICE = {
    "purpose-required": "Say what the request is for with --purpose.",
    "undeclared-purpose": "Name another --purpose.",
    "undeclared-operation": "Give another --path or --method.",
    "content-type": "Say what the body is with --content-type.",
}
_WHOLE_BODY = "(the whole body)"


def as_json(flow: str, operation: str, direction: str, outcome: Outcome) -> dict[str, Any]:
    """The outcome as a JSON document."""
    document: dict[str, Any] = {"flow": flow, "operation": operation, "direction": direction}
    if isinstance(outcome, Refused):
        return document | {"passes": False, "problem": json.loads(outcome.document), "bytesLeft": outcome.left}
    return document | {
        "passes": True,
        "purpose": outcome.purpose,
        "path": outcome.path,
        "headers": [{"name": name, "value": value} for name, value in outcome.headers],
        "body": outcome.body.decode(errors="replace"),
        "dropped": [
            {"in": each.place, "name": each.name, "reason": each.reason}
            for each in outcome.changes
            if each.fate == "dropped"
        ],
        "changed": [
            {"in": each.place, "name": each.name, "protect": each.reason}
            for each in outcome.changes
            if each.fate == "changed"
        ],
    }


def as_notes(flow: str, operation: str, direction: str, outcome: Outcome) -> Iterator[str]:
    """The lines for standard error."""
    what = f"{direction} of {flow}, operation {operation}"
    if isinstance(outcome, Refused):
        yield f"The {what} is refused: {outcome.rule}."
        if outcome.rule in _ADVICE:
            yield _ADVICE[outcome.rule]
        if outcome.left:
            yield f"{outcome.left} bytes of the body have left by then: the sidecar breaks the stream off."
        return
    yield f"The {what} passes" + (f", for {outcome.purpose}." if outcome.purpose else ".")
    for fate in ("dropped", "changed"):
        found = [each for each in outcome.changes if each.fate == fate]
        width = max((len(_name(each)) for each in found), default=0)
        for each in found:
            reason = _REASONS.get(each.reason, each.reason)
            yield f"  {fate} {each.place:<6} {_name(each):<{width}}  {reason}"
    if not outcome.changes:
        yield "  nothing is dropped or changed"


def printable(text: str) -> str:
    """A text in which everything that a terminal might act on is escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _name(change: Change) -> str:
    return printable(change.name) if change.name else _WHOLE_BODY
