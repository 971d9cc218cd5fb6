"""Sidecars that start while no xDS server can be reached: the standby serves them what it was last told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from tests.envoy.test_xds import answered, ready
from tests.support.shop import SECONDS
from tests.support.sidecars import SERVER, SYSTEM, Mesh, flow, mesh

from lawflow.controller.serving import dns_names
from lawflow.mesh.sidecar import Identity
from lawflow.standalone.sidecars import RunningSidecar
from lawflow.standalone.traffic import Client, invoice_app
from lawflow.xds.following import channel_to, snapshots_from
from lawflow.xds.handover import key_of
from lawflow.xds.last_known import LastKnown

pytestmark = pytest.mark.envoy

ORDERS = Identity("shop", "orders")
BILLING = Identity("shop", "billing")


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with mesh(tmp_path) as made:
        yield made


async def told(known: LastKnown, *identities: Identity) -> None:
    """Return once the standby holds what the xDS server has now of all of them."""
    async with asyncio.timeout(SECONDS):
        while not {*identities} <= {key_of(name).identity for name in known.versions}:
            await known.change().wait()


async def handshakes(sidecar: RunningSidecar, count: int) -> None:
    """Return once the sidecar has reached so many servers."""
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, counters = await sidecar.process.admin("/stats?filter=cluster.xds.ssl.handshake")
                if int(counters.rpartition(":")[2] or 0) >= count:
                    return
            await asyncio.sleep(0.05)


async def left_alone(net: Mesh, app: int, known: LastKnown) -> None:
    """Let orders and billing run and the standby hear of it, then end the server and orders."""
    net.put(flow("orders", "billing", "/old"))
    net.local_port("billing", app)
    await ready(await net.sidecar("orders"), await net.sidecar("billing"))
    await told(known, ORDERS, BILLING)
    await net.end_server()
    await net.sidecars.stop(ORDERS)


async def goes_back(net: Mesh, app: int) -> None:
    """Orders works as it was declared last, and as it is declared now once the server is there again."""
    client = Client(net.outbound("orders", "billing"), 8080)
    await answered(client, 200, "/old")
    net.put(flow("orders", "billing", "/new"))
    await net.serve()
    net.local_port("billing", app)
    await answered(client, 200, "/new")
    await client.close()


async def test_a_sidecar_starts_with_the_last_known_policy_and_goes_back_to_its_server(net: Mesh) -> None:
    async with invoice_app() as app, net.standing_by() as known:
        await left_alone(net, app, known)
        await ready(await net.sidecar("orders"))
        await goes_back(net, app)


async def test_a_sidecar_that_runs_is_not_set_back_to_what_the_standby_was_told_before(
    net: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with invoice_app() as app, net.standing_by() as known:
        net.put(flow("orders", "billing", "/old"))
        net.local_port("billing", app)
        orders = await net.sidecar("orders")
        await ready(orders, await net.sidecar("billing"))
        await told(known, ORDERS, BILLING)
        monkeypatch.setattr(known, "take", lambda _message, **_: None)
        net.put(flow("orders", "billing", "/new"))
        client = Client(net.outbound("orders", "billing"), 8080)
        await answered(client, 200, "/new")
        await net.end_server()
        await handshakes(orders, 2)
        await answered(client, 200, "/new")
        await answered(client, 403, "/old")
        await client.close()


async def test_a_sidecar_that_nobody_knows_waits_for_its_server(net: Mesh) -> None:
    async with net.standing_by():
        net.put(flow("orders", "billing", "/x"))
        await net.end_server()
        stranger = await net.sidecar("crm")
        await handshakes(stranger, 1)
        assert not stranger.ready.is_set()
        await net.serve()
        await ready(stranger)


async def test_who_begins_to_stand_by_while_no_server_is_there_is_told_by_another(net: Mesh) -> None:
    async with invoice_app() as app, net.standing_by() as first:
        await left_alone(net, app, first)
        async with net.standing_by() as second:
            await told(second, ORDERS, BILLING)
            assert second.is_open
            assert not second.served.is_set()
            await ready(await net.sidecar("orders"))
            await goes_back(net, app)


async def test_who_knows_nothing_tells_nothing_and_serves_nobody(net: Mesh) -> None:
    net.put(flow("orders", "billing", "/x"))
    await net.end_server()
    async with net.standing_by(), net.standing_by() as second:
        orders = await net.sidecar("orders")
        await handshakes(orders, 1)
        assert not second.is_open
        await net.serve()
        await ready(orders)
        assert second.is_open


async def test_both_ends_of_a_flow_are_known_before_they_ever_ran(net: Mesh) -> None:
    async with net.standing_by() as known:
        net.put(flow("orders", "billing", "/x"))
        await ready(await net.sidecar("crm"))
        await told(known, ORDERS, BILLING)


async def test_what_the_standby_holds_does_not_grow_old_behind_a_server_that_never_served_it(net: Mesh) -> None:
    async with net.standing_by() as known:
        net.put(flow("orders", "billing", "/x"))
        await ready(await net.sidecar("orders"))
        await told(known, ORDERS)
        await net.sidecars.stop(ORDERS)
        await net.end_server()
        (name,) = (name for name in known.versions if key_of(name).identity == ORDERS)
        before = known.versions[name]
        net.put(flow("orders", "billing", "/y"))
        await net.serve()
        async with asyncio.timeout(SECONDS):
            while known.versions[name] == before:
                await known.change().wait()


async def test_nobody_but_the_standby_is_told_of_all_sidecars(net: Mesh) -> None:
    intruder = net.server_credentials(net.credential("shop", "orders"))
    async with channel_to(f"127.0.0.1:{net.port}", dns_names(SERVER, SYSTEM)[0], intruder) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async with asyncio.timeout(SECONDS):
                await anext(aiter(snapshots_from(channel, {})))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
