"""Gives the minimizer one message and says what became of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lawflow.minimize.difference import Change, changes
from lawflow.minimize.policy import NOW, Direction, Trial
from lawflow.model.operation import Operation, Payload
from lawflow.native.minimizer import Policy, RefusedError

Pair = tuple[str, str]

CHUNK = 16_384
"""Bytes that a sidecar takes in at once. Of a body that breaks several rules, it decides which is named."""


class OtherOperationError(ValueError):
    """A request that belongs to another operation than the one that is tried; ``operation`` is its name."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        super().__init__(f"the request belongs to operation {operation}")


@dataclass(frozen=True)
class Sample:
    """A message to try; of a response, ``method`` and ``path`` are those of its request."""

    method: str
    path: str
    headers: Sequence[Pair]
    body: bytes
    purpose: str | None = None
    status: int = 200


@dataclass(frozen=True)
class Passed:
    """What passes of a message, and what does not pass as it came."""

    purpose: str
    path: str
    headers: Sequence[Pair]
    body: bytes
    changes: Sequence[Change]


@dataclass(frozen=True)
class Refused:
    """A message that does not pass."""

    rule: str
    status: int
    document: bytes
    """The problem document (RFC 9457) that the sidecar answers with."""
    left: int = 0
    """Bytes of the body that have left by then, where the operation streams."""


Outcome = Passed | Refused


def attempt(trial: Trial, operation: Operation, sample: Sample, direction: Direction) -> Outcome:
    """What the sidecar makes of a message of an operation. Raises OtherOperationError."""
    try:
        return _attempt(trial, operation, sample, direction)
    except RefusedError as error:
        left = error.passed if operation.stream else 0
        return Refused(error.rule, error.status, error.document, left)


def _attempt(trial: Trial, operation: Operation, sample: Sample, direction: Direction) -> Passed:
    said = [("lawflow-purpose", sample.purpose)] if sample.purpose is not None else []
    own = list(sample.headers) if direction == "request" else []
    policy = Policy(json.dumps(trial.policy))
    exchange = policy.admit(sample.method, sample.path, [*own, *said], peer=trial.peer, now=NOW)
    if exchange.operation != operation.name:
        raise OtherOperationError(exchange.operation)
    if direction == "request":
        message = exchange.request(has_body=bool(sample.body))
    else:
        message = exchange.response(sample.headers, status=sample.status, has_body=bool(sample.body))
    drops_body = message.drops_body
    chunks = (sample.body[start : start + CHUNK] for start in range(0, len(sample.body), CHUNK))
    body = b"".join(message.feed(chunk) for chunk in chunks) + message.finish()
    payload = (operation.request if direction == "request" else operation.response) or Payload()
    found = changes(message, payload, sample.headers, sample.path, sample.body, body, drops_body=drops_body)
    return Passed(exchange.purpose, message.path or sample.path, message.headers, body, found)
