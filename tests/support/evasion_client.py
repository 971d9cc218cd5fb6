"""A client that sends whatever it is told to, and tells how the other side took it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from tests.support.http_messages import Message, Received, read_body, read_head

SECONDS = 60.0
"""Longest wait for an answer: only a sidecar that hangs meets it."""
_LAST = b"GET /nowhere HTTP/1.1\r\nhost: billing.shop\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
"""Declared nowhere, so that it never passes: its answer shows that nothing else is under way on a connection."""


@dataclass
class Outcome:
    """How the other side took a request."""

    response: Received | None = None
    """The final response; ``None`` where there was none."""
    informational: list[Received] = field(default_factory=list)
    others: list[Received] = field(default_factory=list)
    """Responses beyond the first, to what the other side took for further requests; without that to the last one."""

    @property
    def status(self) -> int:
        return status(self.response) if self.response else 0


def status(received: Received) -> int:
    """The status of a response."""
    return int(received.first.split(" ")[1])


@dataclass(frozen=True)
class Target:
    """Where to connect."""

    address: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    async def connect(self, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.tls:
            self.tls.set_alpn_protocols([protocol])
        return await asyncio.open_connection(
            self.address, self.port, ssl=self.tls, server_hostname=self.server_name if self.tls else None
        )


async def send_http1(
    target: Target,
    requests: Iterable[bytes],
    between: Callable[[], Awaitable[None]],
    *,
    segment: int,
    hangs_up: bool,
    is_last: bool,
) -> Outcome:
    """Send bytes and read what comes back.

    ``between`` is awaited after the first part of the request. ``segment`` is how many bytes are written at once,
    ``hangs_up`` ends the sending side after them, ``is_last`` is false where more requests may stand in the bytes than
    one.
    """
    reader, writer = await target.connect("http/1.1")
    outcome = Outcome()
    try:
        async with asyncio.timeout(SECONDS):
            first, *rest = requests
            await _write(writer, first, segment)
            for part in rest:
                await between()
                await _write(writer, part, segment)
            if hangs_up:
                writer.write_eof()
            outcome.response = await _response(reader, outcome, is_head=first.startswith(b"HEAD "))
            if is_last or not outcome.response or outcome.response.header("connection") == "close":
                return outcome
            await _write(writer, _LAST, 0)
            while response := await _response(reader, outcome, is_head=False):
                outcome.others.append(response)
                if response.header("connection") == "close":
                    break
            if outcome.others and status(outcome.others[-1]) == 403:
                outcome.others.pop()
    finally:
        writer.close()
    return outcome


async def _write(writer: asyncio.StreamWriter, request: bytes, segment: int) -> None:
    size = segment or max(len(request), 1)
    try:
        for start in range(0, len(request), size):
            writer.write(request[start : start + size])
            await writer.drain()
            if segment:
                await asyncio.sleep(0)
    except OSError:
        pass  # it has been refused by now


async def _response(reader: asyncio.StreamReader, outcome: Outcome, *, is_head: bool) -> Received | None:
    while True:
        received = Received()
        try:
            await read_head(reader, received)
            found = status(received)
            if 100 <= found < 200 and found != 101:
                received.is_complete = True
                outcome.informational.append(received)
                continue
            if is_head or found in (101, 204, 304):
                received.is_complete = True
            else:
                await read_body(reader, received, until_end=True)
        except (OSError, EOFError, ValueError):
            pass
        return received if received.first else None


async def send_http2(target: Target, pseudo: list[tuple[str, str]], message: Message, *, hangs_up: bool) -> Outcome:
    """Send one request over HTTP/2, right or wrong. ``hangs_up`` leaves its stream open and ends the connection."""
    reader, writer = await target.connect("h2")
    settings = H2Configuration(
        client_side=True,
        header_encoding="latin-1",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    connection = H2Connection(settings)
    connection.initiate_connection()
    pieces = message.pieces()
    ends = not hangs_up
    connection.send_headers(1, [*pseudo, *message.headers], end_stream=ends and not pieces and not message.trailers)
    for place, piece in enumerate(pieces):
        last = place + 1 == len(pieces) and not message.trailers
        connection.send_data(1, piece, end_stream=ends and last)
        writer.write(connection.data_to_send())
    if message.trailers:
        connection.send_headers(1, message.trailers, end_stream=True)
    writer.write(connection.data_to_send())
    outcome, received = Outcome(), Received()
    try:
        async with asyncio.timeout(SECONDS):
            if hangs_up:
                writer.write_eof()
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    match event:
                        case InformationalResponseReceived(headers=headers):
                            outcome.informational.append(_head(headers or []))
                        case ResponseReceived(headers=headers):
                            received = outcome.response = _head(headers or [])
                        case DataReceived(data=data_received, flow_controlled_length=length):
                            received.body += data_received or b""
                            connection.acknowledge_received_data(length or 0, 1)
                        case TrailersReceived(headers=headers):
                            received.trailers = [(str(n), str(v)) for n, v in headers or []]
                        case StreamEnded():
                            received.is_complete = True
                            return outcome
                        case StreamReset() | ConnectionTerminated():
                            return outcome
                        case _:
                            pass
                if not hangs_up:
                    writer.write(connection.data_to_send())
    except OSError:
        pass
    finally:
        writer.close()
    return outcome


def _head(headers: list) -> Received:  # type: ignore[type-arg]
    named = [(str(name), str(value)) for name, value in headers]
    return Received(first=f"HTTP/2 {dict(named)[':status']}", headers=[each for each in named if each[0][0] != ":"])
