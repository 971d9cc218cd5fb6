"""Many requests at once, each of which has to be tried at a second address."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.ports import ReservedPort
from tests.support.shop import SECONDS
from tests.support.sidecars import Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.standalone.traffic import Client, Response

pytestmark = pytest.mark.envoy

AT_ONCE = 20
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@contextlib.asynccontextmanager
async def app_that_answers_all_at_once(address: str, port: int) -> AsyncIterator[asyncio.Barrier]:
    """Answers when as many requests have arrived as the barrier has parties."""
    barrier = asyncio.Barrier(AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.BrokenBarrierError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await barrier.wait()
                writer.write(ANSWER)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, address, port)
    async with server:
        yield barrier
        await barrier.abort()


async def get(made: Mesh) -> Response:
    client = Client(made.outbound("orders", "billing"), 8080)
    try:
        return await client.request("GET", "/invoices/17")
    finally:
        await client.close()


async def test_an_app_on_the_pods_address_alone_is_reached_by_as_many_requests_as_come(tmp_path: Path) -> None:
    reserved = ReservedPort()
    async with mesh(tmp_path) as made:
        made.put(flow("orders", "billing", "/invoices/{id}"))
        made.local_port("billing", reserved.number)
        for account in ("orders", "billing"):
            await (await made.sidecar(account)).ready.wait()
        reserved.release()
        async with app_that_answers_all_at_once(made.address("billing"), reserved.number) as barrier:

            async def all_answered() -> list[int] | None:
                await barrier.reset()
                async with asyncio.timeout(SECONDS):
                    found = await asyncio.gather(*(get(made) for _ in range(AT_ONCE)))
                return [each.status for each in found]

            assert await seen(all_answered, "answers to all of them") == [200] * AT_ONCE
