"""Mode redirect to hosts outside: who knows no address knows the name that a request or a greeting gives."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.network_namespace import as_app, get_as_app, redirected_network
from tests.support.outside import HOST, Outside, outside
from tests.support.sidecars import EGRESS, Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.identity.interception import SECRET_BYTES, app_root
from lawflow.mesh.sidecar import PodNetwork
from lawflow.standalone.traffic import Client, Response

pytestmark = pytest.mark.envoy

OUTSIDE = "203.0.113.9"
MASTER = b"m" * SECRET_BYTES
SECONDS_WITH_A_SILENT_NAME_SERVER = 20.0
"""Far more than Envoy is told to wait for one, and far less than it would wait by itself."""


@pytest.fixture
def network() -> Iterator[None]:
    with redirected_network():
        yield


@pytest.fixture
async def peer(network: None, tmp_path: Path) -> AsyncIterator[Outside]:
    del network
    async with outside(tmp_path, b'{"charge": {"id": "c1", "card": "4111"}}') as running:
        yield running


def charge(host: str, port: int, tls: str = "originate") -> dict[str, Any]:
    declared = flow("orders", host.partition(".")[0], "/v1/charges")
    external = {"host": host, "port": port, "organisation": "PSP B.V.", "country": "NL", "tls": tls}
    declared["spec"]["destination"] = {"external": external, "role": "processor"}
    return declared


@pytest.fixture
async def abroad(peer: Outside, tmp_path: Path) -> AsyncIterator[Mesh]:
    """orders may call two hosts outside at one port, through the gateway, which is ready though one has no address."""
    (tmp_path / "mesh").mkdir()
    async with mesh(tmp_path / "mesh", str(peer.roots)) as made:
        made.networks["orders"] = PodNetwork(redirected=True)
        first, second = charge(HOST, peer.port), charge("other.example", peer.port)
        first["spec"]["operations"][0]["response"] = {"fields": [{"pointer": "/charge/id", "category": "none"}]}
        second["spec"]["operations"][0]["path"] = "/v2"
        made.put(first)
        made.put(second)
        for each in (await made.sidecar("orders"), await made.sidecar(EGRESS.service_account, EGRESS.namespace)):
            async with asyncio.timeout(SECONDS_WITH_A_SILENT_NAME_SERVER):
                await each.ready.wait()
        yield made


async def test_a_host_outside_is_told_by_the_name_that_requests_give(abroad: Mesh, peer: Outside) -> None:
    async def charged(host: str, path: str = "/v1/charges") -> Response:
        async def answered() -> Response | None:
            response = await get_as_app(OUTSIDE, peer.port, host, path)
            return None if response.status == 503 else response

        return await seen(answered, "an answer")

    for host in (HOST, f"{HOST}.", f"{HOST}:{peer.port}", HOST.upper()):
        response = await charged(host)
        assert (response.status, response.body) == (200, b'{"charge":{"id":"c1"}}')
    count = len(peer.requests)
    assert {headers["host"] for _, headers, _ in peer.requests} == {f"{HOST}:{peer.port}"}
    other = await charged(HOST, "/v2")
    assert (other.status, str(other.document["type"]).rpartition("/")[2]) == (403, "undeclared-operation")
    mixed = await charged("other.example")
    assert (mixed.status, str(mixed.document["type"]).rpartition("/")[2]) == (403, "undeclared-operation")
    evil = await charged("evil.example")
    assert (evil.status, str(evil.document["type"]).rpartition("/")[2]) == (403, "undeclared-destination")
    assert len(peer.requests) == count


@contextlib.asynccontextmanager
async def calling_by_tls(directory: Path, peer: Outside, *declared: dict[str, Any]) -> AsyncIterator[None]:
    """orders and the gateway, ready; what orders calls is declared."""
    (directory / "mesh").mkdir()
    async with mesh(directory / "mesh", str(peer.roots), MASTER) as made:
        made.networks["orders"] = PodNetwork(redirected=True)
        for each in declared:
            made.put(each)
        for sidecar in (await made.sidecar("orders"), await made.sidecar(EGRESS.service_account, EGRESS.namespace)):
            await sidecar.ready.wait()
        yield


async def get_by_tls(peer: Outside, trusting: ssl.SSLContext, path: str, host: str = HOST) -> Response:
    """The app of orders calls the host by TLS of its own."""
    client = Client(OUTSIDE, peer.port, tls=trusting, server_name=host)
    try:
        with as_app():
            return await client.request("GET", path)
    finally:
        await client.close()


async def answered_by_tls(peer: Outside, trusting: ssl.SSLContext, path: str) -> Response:
    async def answered() -> Response | None:
        with contextlib.suppress(OSError, EOFError):
            response = await get_by_tls(peer, trusting, path)
            return None if response.status == 503 else response
        return None

    return await seen(answered, "an answer of the host")


async def test_tls_to_a_declared_host_passes_through_and_to_another_it_does_not(peer: Outside, tmp_path: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(peer.roots))
    async with calling_by_tls(tmp_path, peer, charge(HOST, peer.port, "passthrough")):
        assert (await answered_by_tls(peer, trusting, "/anything")).status == 200
        with pytest.raises((ssl.SSLError, OSError, EOFError)):
            await get_by_tls(peer, trusting, "/anything", host="evil.example")


async def test_an_app_that_trusts_its_sidecar_has_its_own_tls_ended_and_filtered(peer: Outside, tmp_path: Path) -> None:
    declared = charge(HOST, peer.port, "terminate")
    declared["spec"]["operations"][0]["response"] = {"fields": [{"pointer": "/charge/id", "category": "none"}]}
    trusting = ssl.create_default_context(cadata=app_root(MASTER, "shop", HOST))
    async with calling_by_tls(tmp_path, peer, declared):
        response = await answered_by_tls(peer, trusting, "/v1/charges")
        assert (response.status, response.body) == (200, b'{"charge":{"id":"c1"}}')
        count = len(peer.requests)
        refused = await get_by_tls(peer, trusting, "/v2")
        assert (refused.status, str(refused.document["type"]).rpartition("/")[2]) == (403, "undeclared-operation")
        with pytest.raises((ssl.SSLError, OSError, EOFError)):
            await get_by_tls(peer, trusting, "/v1/charges", host="evil.example")
        with pytest.raises(ssl.SSLCertVerificationError):
            await get_by_tls(peer, ssl.create_default_context(cafile=str(peer.roots)), "/v1/charges")
        assert len(peer.requests) == count
