"""Mode redirect: whatever an app calls arrives at its sidecar, which knows by address and port where it was going."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.network_namespace import as_app, get_as_app, redirected_network
from tests.support.shop import SECONDS
from tests.support.sidecars import Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.mesh.sidecar import PodNetwork
from lawflow.model.kinds import DATA_FLOW, ENDPOINT_SLICE, SERVICE
from lawflow.standalone.traffic import Client, Response
from lawflow.store.protocol import WatchEvent

pytestmark = pytest.mark.envoy

BILLING, BILLING_V6, BILLING_POD, OTHER_POD = "10.96.0.7", "fd00:96::7", "10.244.7.7", "10.244.7.8"
DATABASE, API_SERVER, NOBODY, OUTSIDE = "10.96.0.8", "10.96.0.1", "10.96.0.99", "203.0.113.9"
PORT = 8080


@contextlib.asynccontextmanager
async def host_app() -> AsyncIterator[int]:
    """An app that answers every request with the host that it names."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                host = next(line[5:].strip() for line in lines if line.lower().startswith("host:"))
                body = json.dumps({"host": host}).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def reading() -> dict[str, Any]:
    """The flow of orders to billing."""
    declared = flow("orders", "billing", "/invoices/{id}")
    declared["spec"]["operations"][0]["response"] = {"fields": [{"pointer": "/host", "category": "none"}]}
    return declared


@pytest.fixture
def network() -> Iterator[None]:
    with redirected_network(f"{BILLING_POD}/32", f"{API_SERVER}/32"):
        yield


@pytest.fixture
async def net(network: None, tmp_path: Path) -> AsyncIterator[Mesh]:
    """orders redirects and may read invoices of billing."""
    del network
    async with mesh(tmp_path) as made, host_app() as port:
        made.networks["orders"] = PodNetwork((4, 6), redirected=True)
        made.addresses["billing"] = BILLING_POD
        put_service(made, "billing", [BILLING, BILLING_V6], port)
        made.put(reading())
        put_pods(made, "billing", [BILLING_POD], port)
        async with asyncio.timeout(SECONDS):
            await (await made.sidecar("orders")).ready.wait()
            await (await made.sidecar("billing")).ready.wait()
        yield made


def put_service(made: Mesh, name: str, addresses: list[str], target: int, **port: Any) -> None:
    spec = {"clusterIPs": addresses, "ports": [{"port": PORT, "targetPort": target, **port}]}
    made.world.take(SERVICE, WatchEvent("ADDED", {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}))
    made.snapshots.touch()


def put_pods(made: Mesh, name: str, addresses: list[str], port: int) -> None:
    metadata = {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name}}
    endpoints = [{"addresses": [address]} for address in addresses]
    pods = {"metadata": metadata, "endpoints": endpoints, "ports": [{"port": port}]}
    made.world.take(ENDPOINT_SLICE, WatchEvent("MODIFIED", pods))
    made.snapshots.touch()


async def get_until(status: int, address: str, port: int = PORT, host: str = "") -> Response:
    async def answered() -> Response | None:
        with contextlib.suppress(OSError, EOFError):
            response = await get_as_app(address, port, host)
            return response if response.status == status else None
        return None

    return await seen(answered, f"{status} from {address}:{port}")


@contextlib.asynccontextmanager
async def greeting(host: str, port: int = 0) -> AsyncIterator[int]:
    """A server that speaks first, and then repeats what it hears."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(b"hello\n")
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "host", ["billing", "billing.shop.svc", "billing.shop.svc.", "billing.shop.svc.cluster.local.:8080", BILLING, "x"]
)
async def test_a_declared_service_is_reached_by_any_name_and_told_the_declared_one(net: Mesh, host: str) -> None:
    response = await get_until(200, BILLING, host=host)
    assert response.document["host"] == "billing.shop.svc:8080"


async def test_it_is_reached_over_both_families(net: Mesh) -> None:
    assert (await get_until(200, BILLING_V6)).status == 200


async def test_an_app_may_listen_on_all_addresses_at_the_port_that_it_calls(net: Mesh) -> None:
    async with greeting("0.0.0.0", PORT):
        assert (await get_until(200, BILLING)).status == 200


async def test_a_call_to_one_pod_reaches_that_pod_at_its_own_port(net: Mesh) -> None:
    (port,) = {each["port"] for each in net.world._slices["shop", "billing"]["billing"]["ports"]}
    put_pods(net, "billing", [BILLING_POD, OTHER_POD], port)
    await get_until(200, BILLING_POD, port)
    before = await net.counted("cluster.direct/shop/billing:8080.upstream_cx_connect_fail")
    for _ in range(8):
        assert (await get_as_app(BILLING_POD, port)).status == 200
    assert await net.counted("cluster.direct/shop/billing:8080.upstream_cx_connect_fail") == before == {}


async def test_the_pods_of_a_headless_service_are_reached_at_the_services_port_too(net: Mesh) -> None:
    (port,) = {each["port"] for each in net.world._slices["shop", "billing"]["billing"]["ports"]}
    put_service(net, "billing", ["None"], port)
    assert (await get_until(200, BILLING_POD, PORT)).status == 200
    assert (await get_until(200, BILLING_POD, port)).status == 200


async def test_an_undeclared_destination_is_refused_and_the_answer_names_the_flow(net: Mesh) -> None:
    response = await get_until(403, NOBODY, host="ledger.finance.svc")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.document["status"] == 403
    assert response.document["type"] == "https://lawflow.dev/problems/undeclared-destination"
    assert response.document["detail"] == (
        f"spiffe://example.org/ns/shop/sa/orders may not call ledger.finance.svc at {NOBODY}:8080: declare a DataFlow "
        "in namespace shop with the source serviceAccountName orders and the Service or host there as its destination."
    )


async def test_another_port_of_a_declared_service_is_undeclared(net: Mesh) -> None:
    assert str((await get_until(403, BILLING, 9090)).document["type"]).endswith("/undeclared-destination")


async def test_an_undeclared_path_is_refused_as_in_mode_explicit(net: Mesh) -> None:
    await get_until(200, BILLING)
    response = await get_as_app(BILLING, PORT, path="/admin")
    assert (response.status, str(response.document["type"]).rpartition("/")[2]) == (403, "undeclared-operation")


@pytest.mark.parametrize(("port", "data"), [(5432, b"\0\0\0\x08\x04\xd2\x16\x2f"), (443, b""), (3306, b"")])
async def test_undeclared_connections_of_other_protocols_are_closed_and_counted(
    net: Mesh, port: int, data: bytes
) -> None:
    """Of those who speak first, and of those who wait to be spoken to."""
    await get_until(200, BILLING)
    with as_app():
        reader, writer = await asyncio.open_connection(NOBODY, port)
    writer.write(data)
    async with asyncio.timeout(SECONDS):
        assert b"200" not in await reader.read()
    writer.close()
    assert (await net.counted("http.refused.downstream_cx_total"))["http.refused.downstream_cx_total"] >= 1


async def test_undeclared_tls_is_closed(net: Mesh) -> None:
    await get_until(200, BILLING)
    with as_app(), pytest.raises((ssl.SSLError, OSError)):
        await asyncio.open_connection(OUTSIDE, 443, ssl=ssl.create_default_context(), server_hostname="evil.example")
    assert (await net.counted("tcp.closed.downstream_cx_no_route"))["tcp.closed.downstream_cx_no_route"] == 1


async def test_the_clusters_own_destinations_are_reached_as_they_are(net: Mesh) -> None:
    async with greeting(API_SERVER, 443):
        spec = {"clusterIPs": [API_SERVER], "ports": [{"port": 443}]}
        service = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": spec}
        net.world.take(SERVICE, WatchEvent("ADDED", service))
        net.snapshots.touch()

        async def greeted() -> bool | None:
            with as_app():
                reader, writer = await asyncio.open_connection(API_SERVER, 443)
            try:
                writer.write(b"x")
                return await reader.readline() == b"hello\n" or None
            except OSError:
                return None
            finally:
                writer.close()

        assert await seen(greeted, "the greeting of the API server")


async def database(net: Mesh, stack: contextlib.AsyncExitStack) -> None:
    """A database that speaks first and that orders may call; the sidecar in front of it runs."""
    port = await stack.enter_async_context(greeting("127.0.0.1"))
    declared = flow("orders", "database", "/")
    declared["spec"]["destination"]["service"]["protocol"] = "tcp"
    declared["spec"]["operations"] = []
    put_service(net, "database", [DATABASE], port)
    net.put(declared)
    await (await net.sidecar("database")).ready.wait()


async def connected(address: str, port: int = PORT) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async def greeted() -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        with contextlib.suppress(OSError):
            with as_app():
                reader, writer = await asyncio.open_connection(address, port)
            async with asyncio.timeout(SECONDS):
                if await reader.readline() == b"hello\n":
                    return reader, writer
            writer.close()
        return None

    return await seen(greeted, "a greeting")


async def test_a_flow_that_is_added_works_at_once_and_changes_of_addresses_end_no_connection(net: Mesh) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await database(net, stack)
        reader, writer = await connected(DATABASE)
        client = Client(BILLING, PORT)
        with as_app():
            assert (await client.request("GET", "/invoices/1")).status == 200
        before = await net.counted("listener_manager")
        put_service(net, "billing", ["10.96.0.17", BILLING], 1)
        put_pods(net, "database", [net.address("database"), OTHER_POD], 5432)
        await get_until(200, "10.96.0.17")
        after = await net.counted("listener_manager")
        assert after["listener_manager.listener_in_place_updated"] > before.get(
            "listener_manager.listener_in_place_updated", 0
        )
        assert after.get("listener_manager.total_filter_chains_draining", 0) == 0
        assert after.get("listener_manager.total_listeners_draining", 0) == 0
        writer.write(b"still here")
        async with asyncio.timeout(SECONDS):
            assert await reader.readexactly(10) == b"still here"
        response = await client.request("GET", "/invoices/1")
        assert (response.status, response.headers.get("connection")) == (200, None)
        await client.close()
        writer.close()


async def test_a_closed_flow_is_refused(net: Mesh) -> None:
    await get_until(200, BILLING)
    declared = reading()
    declared["status"]["conditions"][0] |= {"status": "False", "message": "the agreement has expired"}
    net.world.take(DATA_FLOW, WatchEvent("MODIFIED", declared))
    net.snapshots.touch()
    response = await get_until(403, BILLING)
    assert "the agreement has expired" in str(response.document["flows"])
