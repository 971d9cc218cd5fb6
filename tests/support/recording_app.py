"""An app that keeps every byte it gets and answers what it is told, over HTTP/1.1 and HTTP/2 (RFC 9113) without TLS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from tests.support.http_messages import Message, Received, read_body, read_head

_IN_FIRST_LINE = (":method", ":path", ":authority")
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclass
class Answer:
    """What the app says to the next request."""

    message: Message
    status: int = 200
    raw: bytes | None = None
    """HTTP/1.1 to the byte; the app hangs up after it, so that nothing else is taken for a part of it."""
    is_early: bool = False
    """Whether it comes before the request's body has."""
    hangs_up: bool = False


@dataclass
class RecordingApp:
    """What the app was sent since the last :meth:`begin`, and ever."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    ever: bytearray = field(default_factory=bytearray)
    answer: Answer = field(default_factory=lambda: _nothing())
    _open: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, answer: Answer | None) -> None:
        """Forget the requests so far and give the answer to the next ones."""
        self.requests = []
        self.answer = answer or _nothing()

    async def settled(self) -> None:
        """Return once no request is under way."""
        while self._open:
            await self._changed.wait()

    async def received(self, body: bytes) -> None:
        """Return once the only request has a body that holds this; asks again and again, as bodies come in pieces."""
        while True:
            if self.requests and body in self.requests[0].body:
                return
            await asyncio.sleep(0.001)

    @contextlib.contextmanager
    def _under_way(self):  # type: ignore[no-untyped-def]
        self._open += 1
        try:
            yield
        finally:
            self._ended()

    def _ended(self) -> None:
        self._open -= 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                received = Received()
                await read_head(reader, received)
                if received.first.startswith("PRI "):
                    await reader.readexactly(len(b"SM\r\n\r\n"))
                    await _Http2(self, reader, writer).serve()
                    return
                if received.first.startswith("BARRIER "):
                    return
                self.requests.append(received)
                answer = self.answer
                with self._under_way():
                    try:
                        if answer.is_early:
                            writer.write(_http1(answer))
                        await read_body(reader, received)
                    finally:
                        self.ever += received.everything()
                if not answer.is_early:
                    writer.write(_http1(answer, is_head=received.first.startswith("HEAD ")))
                await writer.drain()
                if answer.raw is not None or answer.hangs_up:
                    return
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


def _http1(answer: Answer, *, is_head: bool = False) -> bytes:
    if answer.raw is not None:
        return answer.raw
    whole = answer.message.http1(f"HTTP/1.1 {answer.status} Status")
    return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if is_head else whole


class _Http2:
    def __init__(self, app: RecordingApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._app, self._reader, self._writer = app, reader, writer
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._streams: dict[int, Received] = {}

    async def serve(self) -> None:
        self._connection.initiate_connection()
        self._connection.receive_data(_PREFACE)
        try:
            while True:
                self._writer.write(self._connection.data_to_send())
                await self._writer.drain()
                if not (data := await self._reader.read(65536)):
                    return
                for event in self._connection.receive_data(data):
                    self._take(event)
        finally:
            for stream in list(self._streams):
                self._end(stream)

    def _take(self, event: object) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=headers):
                received = self._streams[stream] = Received()
                pseudo = {str(n): str(v) for n, v in headers or []}
                received.first = f"{pseudo[':method']} {pseudo[':path']} HTTP/2"
                received.headers = [(str(n), str(v)) for n, v in headers or [] if str(n) not in _IN_FIRST_LINE]
                received.headers.append(("host", pseudo.get(":authority", "")))
                self._app.requests.append(received)
                self._app._open += 1
            case DataReceived(stream_id=int(stream), data=data, flow_controlled_length=length):
                self._streams[stream].body += data or b""
                self._connection.acknowledge_received_data(length or 0, stream)
            case TrailersReceived(stream_id=int(stream), headers=headers):
                self._streams[stream].trailers = [(str(n), str(v)) for n, v in headers or []]
            case StreamEnded(stream_id=int(stream)):
                self._streams[stream].is_complete = True
                self._end(stream)
                self._respond(stream)
            case StreamReset(stream_id=int(stream)):
                self._end(stream)
            case _:
                pass

    def _end(self, stream: int) -> None:
        if received := self._streams.pop(stream, None):
            self._app.ever += received.everything()
            self._app._ended()

    def _respond(self, stream: int) -> None:
        answer, connection = self._app.answer, self._connection
        message = answer.message
        pieces, trailers = message.pieces(), message.trailers
        headers = [(":status", str(answer.status)), *message.headers]
        connection.send_headers(stream, headers, end_stream=not pieces and not trailers)
        for place, piece in enumerate(pieces):
            connection.send_data(stream, piece, end_stream=place + 1 == len(pieces) and not trailers)
        if trailers:
            connection.send_headers(stream, trailers, end_stream=True)


def _nothing() -> Answer:
    return Answer(Message([("content-type", "application/json")], b"{}"))


@contextlib.asynccontextmanager
async def recording_app() -> AsyncIterator[RecordingApp]:
    """The app, at a free port of the loopback."""
    app = RecordingApp()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await app._serve(reader, writer)
        writers.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    app.port = server.sockets[0].getsockname()[1]
    try:
        yield app
    finally:
        server.close()
        for writer in list(writers):
            writer.close()
