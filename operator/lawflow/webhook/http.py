"""HTTP/1.1 as the API server speaks it to a webhook: small, limited on every side, no framework in between.

A framework costs more CPU a request than the review itself; this is asyncio.Protocol over httptools' parser.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools

from lawflow.webhook.settings import Limits

LINGER_SECONDS = 1.0
"""After a refusal: how long the rest of a request is thrown away, so that the client gets to read the answer."""

_JSON = b"application/json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = _JSON


Handler = Callable[[Request], Response | Awaitable[Response]]
"""Answers a request: at once, or later where it has to ask somebody."""


def text(status: int, message: str) -> Response:
    """An answer in plain text."""
    return Response(status, message.encode() + b"\n", b"text/plain; charset=utf-8")


class HttpServer:
    """What all connections share: the handler, the limits and how much of them is taken."""

    def __init__(self, handle: Handler, limits: Limits) -> None:
        self.handle = handle
        self.limits = limits
        self.connections: set[Connection] = set()
        self.requests = 0
        self.buffered = 0
        self.draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def connection(self) -> "Connection":
        """A protocol for a new connection: the factory for ``create_server``."""
        return Connection(self)

    def began(self) -> None:
        """A request has begun."""
        self.requests += 1
        self._idle.clear()

    def ended(self) -> None:
        """A request was answered or given up."""
        self.requests -= 1
        if not self.requests:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Close idle connections, let requests under way be answered, then close what is left after ``seconds``."""
        self.draining = True
        for connection in list(self.connections):
            connection.close_if_idle()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("requests were cut off at the end", extra={"requests": self.requests})
        for connection in list(self.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way: a client that pipelines is turned away."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Future[Response] | None = None
        self._refused = False
        self._under_way = False
        self._body = bytearray()
        self._header_sum = 0
        self._forget()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or close it where there are too many."""
        self._transport = transport
        if len(self._server.connections) >= self._limits.connections or self._server.draining:
            self._transport.abort()
            return
        self._server.connections.add(self)
        self._arm(self._limits.idle_seconds, self.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._server.connections.discard(self)
        self._disarm()
        if self._task is not None:
            self._task.cancel()
        self._end()
        # The parser holds this object: apart, both go at once, and no collector has to find them.
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """Parse what came in; whatever is wrong ends in an answer and a closed connection."""
        if self._refused:
            return
        if not self._headers_complete:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(HTTPStatus.BAD_REQUEST, "this is no HTTP/1.1 request")
        else:
            if self._under_way and not self._headers_complete and self._header_bytes > self._limits.header_bytes:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large")

    # The parser calls the following, in this order.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._under_way:
            self._refuse(HTTPStatus.BAD_REQUEST, "pipelining is not served")
            return
        self._under_way = True
        self._server.began()
        self._arm(self._limits.request_seconds, self._too_slow)

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._url += url
        if len(self._url) > self._limits.header_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large")

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """One header."""
        value = value or b""
        self._header_sum += len(name) + len(value)
        match name.lower():
            case b"content-type":
                self._content_type = value
            case b"content-length":
                # The parser has checked that it is a number.
                self._content_length = int(value)
            case b"expect":
                self._expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """All headers are there: refuse early what would be refused anyway."""
        self._headers_complete = True
        if self._parser.should_upgrade():
            self._refuse(HTTPStatus.BAD_REQUEST, "upgrades are not served")
        elif self._header_sum > self._limits.header_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large")
        elif self._content_length > self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body exceeds {self._limits.body_bytes} bytes")
        elif self._server.requests > self._limits.concurrent_requests:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once")
        elif self._expects and not self._refused:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if self._refused:
            return
        if len(self._body) + len(data) > self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body exceeds {self._limits.body_bytes} bytes")
        elif self._server.buffered + len(data) > self._limits.buffered_bytes:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many large requests at once")
        else:
            self._body += data
            self._server.buffered += len(data)

    def on_message_complete(self) -> None:
        """The request is whole: answer it."""
        if self._refused:
            return
        request = Request(
            self._parser.get_method().decode("ascii"),
            self._url.decode("latin-1"),
            self._content_type.decode("latin-1"),
            bytes(self._body),
        )
        try:
            answer = self._server.handle(request)
        except Exception:
            _log.exception("a request could not be answered")
            answer = text(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
        if isinstance(answer, Response):
            self._answer(answer, self._parser.should_keep_alive())
        else:
            self._task = asyncio.ensure_future(answer)
            self._task.add_done_callback(partial(self._answer_late, keep_alive=self._parser.should_keep_alive()))

    def _answer_late(self, task: asyncio.Future[Response], keep_alive: bool) -> None:
        self._task = None
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("a request could not be answered", exc_info=error)
            self._answer(text(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"), keep_alive)
        else:
            self._answer(task.result(), keep_alive)

    def close_if_idle(self) -> None:
        """Close the connection unless a request is under way."""
        if not self._under_way:
            self.close()

    def close(self) -> None:
        """Close the connection after what was written has gone out."""
        self._transport.close()

    def _answer(self, response: Response, keep_alive: bool) -> None:
        keep_alive = keep_alive and not self._server.draining and not self._refused
        self._write(response, keep_alive)
        self._end()
        if keep_alive:
            self._arm(self._limits.idle_seconds, self.close)
        elif not self._refused:
            self.close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        if self._refused:
            return
        self._refused = True
        if self._task is not None:
            self._task.cancel()
        self._write(text(status, message), keep_alive=False)
        self._end()
        self._arm(LINGER_SECONDS, self.close)

    def _too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the request took over {self._limits.request_seconds:g} s")

    def _write(self, response: Response, keep_alive: bool) -> None:
        self._transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b"
            % (
                response.status,
                HTTPStatus(response.status).phrase.encode(),
                response.content_type,
                len(response.body),
                b"" if keep_alive else b"Connection: close\r\n",
                response.body,
            )
        )

    def _end(self) -> None:
        if self._under_way:
            self._under_way = False
            self._server.ended()
        self._server.buffered -= len(self._body)
        self._forget()

    def _forget(self) -> None:
        self._url = b""
        self._content_type = b""
        self._content_length = 0
        self._expects = False
        self._header_bytes = 0
        self._header_sum = 0
        self._headers_complete = False
        self._body = bytearray()

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
