"""The server speaks HTTP/1.1, limits every request, and ends without cutting one off."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from lawflow.webhook.http import HttpServer, Request, Response, text
from lawflow.webhook.settings import Limits

pytestmark = pytest.mark.unit

SMALL = Limits(
    body_bytes=1000,
    header_bytes=500,
    request_seconds=30.0,
    idle_seconds=30.0,
    connections=3,
    concurrent_requests=2,
    buffered_bytes=1500,
)


@dataclass
class Served:
    """A server on a port of its own, with what it was asked and a gate that holds answers back."""

    server: HttpServer
    port: int
    asked: list[Request] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    clients: list["Client"] = field(default_factory=list)

    async def connect(self) -> "Client":
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head.split(b" ")[1]), await self.reader.readexactly(length)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def closed(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read() == b""


def post(body: bytes = b"", path: str = "/echo", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: gate", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving(limits: Limits = SMALL) -> AsyncIterator[Served]:
    served: Served

    def handle(request: Request) -> Response | Awaitable[Response]:
        served.asked.append(request)
        match request.path:
            case "/wait":
                return wait()
            case "/break":
                raise RuntimeError("broken")
            case _:
                return Response(200, request.body)

    async def wait() -> Response:
        await served.release.wait()
        return text(200, "waited")

    server = HttpServer(handle, limits)
    listener = await asyncio.get_running_loop().create_server(server.connection, "127.0.0.1", 0)
    served = Served(server, listener.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        served.release.set()
        for client in served.clients:
            await client.close()
        listener.close()
        await server.drain(1.0)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the condition is another connection's
        await asyncio.sleep(0)


async def test_requests_follow_each_other_on_one_connection_in_any_pieces() -> None:
    async with serving() as served:
        client = await served.connect()
        for body in (b"first", b"second"):
            for byte in post(body, Content_Type="application/json"):
                client.send(bytes([byte]))
            assert await client.answer() == (200, body)
        assert [one.content_type for one in served.asked] == ["application/json"] * 2
        assert served.server.buffered == 0


async def test_a_chunked_body_is_put_together() -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert await client.answer() == (200, b"abcde")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (post(b"x" * 1001), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, 413),
        (post(Long="x" * 600), 431),
        (b"GET /" + b"x" * 600, 431),
        (b"GET / HTTP/1.1\r\nUnfinished: " + b"x" * 600, 431),
    ],
)
async def test_what_exceeds_a_limit_or_is_no_http_is_refused_and_the_server_goes_on(sent: bytes, status: int) -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(sent)
        found, _ = await client.answer()
        assert found == status
        other = await served.connect()
        other.send(post(b"still here"))
        assert await other.answer() == (200, b"still here")
        assert served.server.requests == 0


async def test_a_handler_that_breaks_is_a_500_and_no_end() -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(post(path="/break"))
        assert (await client.answer())[0] == 500
        client.send(post(b"again"))
        assert await client.answer() == (200, b"again")


async def test_a_request_that_never_ends_is_given_up() -> None:
    async with serving(Limits(request_seconds=0.05)) as served:
        client = await served.connect()
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        assert (await client.answer())[0] == 408
        assert served.server.requests == 0


async def test_an_answer_that_never_comes_is_given_up() -> None:
    async with serving(Limits(request_seconds=0.05)) as served:
        client = await served.connect()
        client.send(post(path="/wait"))
        assert (await client.answer())[0] == 408


async def test_an_idle_connection_is_closed() -> None:
    async with serving(Limits(idle_seconds=0.05)) as served:
        assert await (await served.connect()).closed()


async def test_too_many_requests_at_once_are_turned_away() -> None:
    async with serving() as served:
        for _ in range(2):
            (await served.connect()).send(post(path="/wait"))
        await until(lambda: len(served.asked) == 2)
        third = await served.connect()
        third.send(post(b"too much"))
        assert (await third.answer())[0] == 503


async def test_too_many_connections_are_closed_at_once() -> None:
    async with serving() as served:
        for _ in range(3):
            await served.connect()
        await until(lambda: len(served.server.connections) == 3)
        fourth = await served.connect()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await fourth.reader.readexactly(1)


async def test_the_bodies_of_all_requests_together_are_limited() -> None:
    async with serving() as served:
        first, second = await served.connect(), await served.connect()
        first.send(b"POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 999)
        await until(lambda: served.server.buffered == 999)
        second.send(post(b"x" * 600))
        assert (await second.answer())[0] == 503
        first.send(b"x")
        assert (await first.answer())[0] == 200
        assert served.server.buffered == 0


async def test_a_client_that_pipelines_is_turned_away() -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(post(path="/wait") + post(b"second"))
        assert (await client.answer())[0] == 400


async def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(post(path="/wait"))
        await until(lambda: len(served.asked) == 1)
        client.writer.close()
        await until(lambda: not served.server.connections)
        assert served.server.requests == 0


async def test_a_client_may_ask_before_it_sends_a_large_body() -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        assert await client.answer() == (200, b"abc")


async def test_draining_answers_what_is_under_way_and_closes_what_is_idle() -> None:
    async with serving() as served:
        idle, busy = await served.connect(), await served.connect()
        busy.send(post(path="/wait"))
        await until(lambda: len(served.asked) == 1 and len(served.server.connections) == 2)
        draining = asyncio.create_task(served.server.drain(10.0))
        assert await idle.closed()
        served.release.set()
        assert await busy.answer() == (200, b"waited\n")
        assert await busy.closed()
        await draining


async def test_a_closed_connection_is_forgotten_without_the_garbage_collector() -> None:
    async with serving() as served:
        client = await served.connect()
        client.send(post(b"x"))
        await client.answer()
        (connection,) = map(weakref.ref, served.server.connections)
        gc.disable()
        try:
            await client.close()
            async with asyncio.timeout(10):
                while connection() is not None:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()
