"""The corpus of evasions: what a case sends, and what has to become of it.

A case is a mapping in ``tests/envoy/evasions/KIND.yaml``. ``send`` is the request, ``answer`` what the app says (``{}``
as JSON, unless it is told), and exactly one of these is what has to happen:

* ``refused``: the sender gets ``status`` and a problem document whose type ends in ``rule``, and the app nothing,
  unless it is the answer that is refused;
* ``passed``: the app gets ``body``, ``path``, ``headers`` and ``trailers`` exactly, where they are named, and the
  sender gets what ``response`` says;
* ``grpc``: as ``refused``, in the form of a gRPC call that went wrong, with its ``status`` of gRPC;
* ``broken``: the sender's connection or stream ends without a whole answer, and the app gets no whole request, but what
  ``before`` says may have left.

Texts are bytes, as :func:`tests.support.http_messages.octets` reads them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.support.http_messages import Headers, Message, octets, pairs
from tests.support.recording_app import Answer

FOLDER = Path(__file__).parents[1] / "envoy" / "evasions"
MARKER = "SECRET-7d1f"
"""Stands in every place that no flow declares."""


@dataclass
class Send:
    """A request: structured, or ``raw``."""

    method: str = "POST"
    path: str = "/charges"
    headers: Any = None
    type: str | None = None
    """The header content-type."""
    body: Any = None
    framing: str = "length"
    chunk: int = 0
    trailers: Any = None
    raw: Any = None
    segment: int = 0
    pauses_after: Any = None
    """Bytes of an HTTP/1.1 request that have to reach the app before the rest is sent."""
    hangs_up: bool = False
    http2: bool = False
    pseudo: Any = None
    """Pseudo-headers of HTTP/2 in the place of the usual ones."""
    past_its_sidecar: bool = False
    """Whether it goes to the receiver's sidecar directly, with a genuine certificate."""
    identity: str = "orders"
    """The service account of that certificate; empty for none at all."""

    @property
    def message(self) -> Message:
        headers = pairs(self.headers)
        if not self.http2 and "host" not in {name.lower() for name, _ in headers}:
            headers.insert(0, ("host", "billing.shop"))
        if self.type is not None:
            headers.append(("content-type", self.type))
        framing = "none" if self.framing == "length" and self.body is None and self.method in _BARE else self.framing
        return Message(headers, octets(self.body), framing, self.chunk, pairs(self.trailers))

    @property
    def http1(self) -> bytes:
        if self.raw is not None:
            return octets(self.raw)
        return self.message.http1(f"{self.method} {self.path} HTTP/1.1")

    @property
    def parts(self) -> list[bytes]:
        """What is sent at once: all, or what has to reach the app first and the rest."""
        whole, mark = self.http1, octets(self.pauses_after)
        end = whole.index(mark) + len(mark)
        return [whole[:end], whole[end:]] if mark else [whole]

    @property
    def pseudo_headers(self) -> Headers:
        usual = {":method": self.method, ":scheme": "http", ":authority": "billing.shop", ":path": self.path}
        return pairs(self.pseudo) or list(usual.items())


_BARE = ("GET", "HEAD")


@dataclass
class Response:
    """What the sender gets."""

    status: int = 200
    body: Any = None
    headers: dict[str, str | None] = field(default_factory=dict)
    """Values that headers have; ``null`` for those that are not there."""
    trailers: Any = None
    is_complete: bool = True
    informational: list[int] | None = None


@dataclass
class Passed:
    """What the app gets."""

    method: str | None = None
    path: str | None = None
    body: Any = None
    headers: dict[str, str | None] = field(default_factory=dict)
    trailers: Any = None
    response: Response = field(default_factory=Response)
    is_complete: bool = True
    """Whether its body ended."""
    then: list[int] = field(default_factory=list)
    """Statuses of the answers to what follows, where the sidecar takes that for further requests."""


@dataclass
class Refused:
    """What the sender is told."""

    status: int
    rule: str
    by: str = ""


@dataclass
class Case:
    """One attempt."""

    kind: str
    name: str
    send: Send
    answer: Answer | None
    refused: Refused | None
    passed: Passed | None
    grpc: Refused | None
    broken: bool
    before: bytes | None
    """What the app got of a request that was broken off; ``None`` where that is not said."""

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}"


def cases() -> list[Case]:
    """All of the corpus. Raises TypeError or ValueError for a case that is not written as it should be."""
    return [
        _case(file.stem, written)
        for file in sorted(FOLDER.glob("*.yaml"))
        for written in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


def _case(kind: str, written: dict[str, Any]) -> Case:
    written = dict(written)
    name, send, answer = written.pop("name"), Send(**written.pop("send")), written.pop("answer", None)
    refused, passed, broken = written.pop("refused", None), written.pop("passed", None), written.pop("broken", False)
    grpc, before = written.pop("grpc", None), written.pop("before", None)
    written.pop("note", None)
    if written or not (refused or grpc or passed is not None or broken):
        raise ValueError(f"{kind}: {name}: {sorted(written) or 'says not what has to happen'}")
    if passed is not None:
        passed = Passed(**{**passed, "response": Response(**passed.get("response", {}))})
    return Case(
        kind,
        name,
        send,
        _answer(**answer) if answer is not None else None,
        Refused(**refused) if refused else None,
        passed,
        Refused(**grpc) if grpc else None,
        broken,
        octets(before) if before is not None else None,
    )


def _answer(
    *,
    status: int = 200,
    headers: Any = None,
    type: str | None = "application/json",
    body: Any = None,
    framing: str = "length",
    chunk: int = 0,
    trailers: Any = None,
    raw: Any = None,
    early: bool = False,
    hangs_up: bool = False,
) -> Answer:
    typed = pairs(headers) + ([("content-type", type)] if type is not None else [])
    message = Message(typed, octets(body), framing, chunk, pairs(trailers))
    return Answer(message, status, octets(raw) if raw is not None else None, early, hangs_up)
