"""A flow of the protocol tcp carries any bytes, to the declared peer alone, and ends with its flow's lawfulness."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.shop import SECONDS
from tests.support.sidecars import Mesh, flow, mesh

from lawflow.model.kinds import DATA_FLOW
from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.traffic import mutual_tls
from lawflow.store.protocol import WatchEvent

pytestmark = pytest.mark.envoy

NOBODY = "127.0.0.9"


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def talking() -> dict[str, Any]:
    declared = flow("orders", "database", "/")
    declared["spec"]["destination"]["service"]["protocol"] = "tcp"
    declared["spec"]["operations"] = []
    return declared


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Mesh]:
    """orders may talk tcp to database, where an echo server is."""
    async with mesh(tmp_path) as made, echo() as port:
        made.put(talking())
        made.local_port("database", port)
        async with asyncio.timeout(SECONDS):
            await (await made.sidecar("orders")).ready.wait()
            await (await made.sidecar("database")).ready.wait()
        yield made


async def echoed(address: str, port: int, data: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    name = "p8080.database.shop.svc" if tls else None
    reader, writer = await asyncio.open_connection(address, port, ssl=tls, server_hostname=name)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.readexactly(len(data))
    finally:
        writer.close()


async def test_bytes_pass_both_ways_through_both_sidecars(net: Mesh) -> None:
    data = bytes(range(256)) * 1000
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(OSError, EOFError):
                assert await echoed(net.outbound("orders", "database"), 8080, data) == data
                return
            await asyncio.sleep(0.02)


async def test_a_connection_goes_to_another_pod_where_one_is_not_reached(net: Mesh) -> None:
    net.put(talking(), NOBODY)
    address = net.outbound("orders", "database")
    async with asyncio.timeout(SECONDS):
        # Until it has met the one that nobody listens at.
        while not await net.counted("outbound/shop/database_8080.upstream_cx_connect_fail"):
            with contextlib.suppress(OSError, EOFError):
                await echoed(address, 8080, b"x")
        for _ in range(20):
            assert await echoed(address, 8080, b"x") == b"x"


async def test_only_the_flows_source_is_let_in(net: Mesh) -> None:
    database = net.address("database")
    bundle = net.bundle.to_pem()
    assert await echoed(database, PEER_PORT, b"x", mutual_tls(bundle, net.credential("shop", "orders"))) == b"x"
    with pytest.raises((OSError, EOFError)):
        await echoed(database, PEER_PORT, b"x", mutual_tls(bundle, net.credential("shop", "intruder")))


async def test_a_closed_flow_carries_nothing(net: Mesh) -> None:
    declared = talking()
    declared["status"]["conditions"][0] |= {"status": "False", "message": "the agreement has expired"}
    net.world.take(DATA_FLOW, WatchEvent("MODIFIED", declared))
    net.snapshots.touch()
    tls = mutual_tls(net.bundle.to_pem(), net.credential("shop", "orders"))
    async with asyncio.timeout(SECONDS):
        for address, port, security in (
            (net.outbound("orders", "database"), 8080, None),
            (net.address("database"), PEER_PORT, tls),
        ):
            while True:
                try:
                    await echoed(address, port, b"x", security)
                except (OSError, EOFError):
                    break
                await asyncio.sleep(0.02)
