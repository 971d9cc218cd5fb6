"""Policies reach live connections, die on their own, and close their port where the module does not take them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.shop import SECONDS
from tests.support.sidecars import Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.mesh.resources import EXTENSION
from lawflow.standalone.sidecars import RunningSidecar
from lawflow.standalone.traffic import Client, Response, invoice_app
from lawflow.xds.snapshots import POLICY_LIFE_SECONDS

pytestmark = pytest.mark.envoy


def invoices(*pointers: str, **operation: Any) -> dict[str, Any]:
    declared = flow("orders", "billing", "/invoices/{invoice}")
    fields = [{"pointer": pointer, "category": "none"} for pointer in pointers]
    declared["spec"]["operations"][0] |= {"response": {"fields": fields}, **operation}
    return declared


UNREADABLE = {
    "subject": {"in": "body", "name": "/customer/id"},
    "stream": True,
    "request": {"fields": [{"pointer": "/customer/iban", "category": "pd:BankAccount", "protect": "encrypt"}]},
}
"""What a stream cannot do: the subject may come after what is encrypted for it. The module rejects such a policy."""


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with invoice_app() as app, mesh(tmp_path) as made:
        made.put(invoices("/invoice"))
        made.local_port("billing", app)
        yield made


async def ready(*sidecars: RunningSidecar) -> None:
    async with asyncio.timeout(SECONDS):
        for sidecar in sidecars:
            await sidecar.ready.wait()


async def until(client: Client, status: int, body: bytes = b"") -> Response:
    async def look() -> Response | None:
        response = await client.request("GET", "/invoices/17")
        return response if response.status == status and body in response.body else None

    return await seen(look, f"{status} with {body!r}")


async def test_a_new_policy_is_in_force_on_a_connection_that_is_open(net: Mesh) -> None:
    await ready(await net.sidecar("orders"), await net.sidecar("billing"))
    client = Client(net.outbound("orders", "billing"), 8080)
    assert (await until(client, 200)).document == {"invoice": "17"}
    net.put(invoices("/invoice", "/amount"))
    assert (await until(client, 200, b"amount")).document == {"invoice": "17", "amount": 129.95}
    await client.close()


async def test_a_policy_that_is_not_renewed_lets_nothing_through_any_more(net: Mesh) -> None:
    await ready(await net.sidecar("orders"), await net.sidecar("billing"))
    client = Client(net.outbound("orders", "billing"), 8080)
    await until(client, 200)
    # What a sidecar has that lost its control plane an hour ago.
    net.snapshots._clock = lambda: 1_700_000_000.0 - POLICY_LIFE_SECONDS
    net.snapshots.touch()
    response = await until(client, 403)
    assert str(response.document["type"]).endswith("/policy-expired")
    await client.close()


async def test_a_policy_that_the_module_rejects_closes_its_port_and_a_better_one_opens_it(net: Mesh) -> None:
    net.snapshots._master = lambda: b"m" * 32
    await ready(await net.sidecar("orders"), await net.sidecar("billing"))
    client = Client(net.outbound("orders", "billing"), 8080)
    await until(client, 200)
    net.put(invoices("/invoice", **UNREADABLE))
    response = await until(client, 403)
    assert str(response.document["type"]).endswith("/undeclared-operation")
    rejected = [each.rejected for each in net.service.connections() if each.identity.service_account == "orders"]
    assert list(rejected[0]) == [EXTENSION]
    net.put(invoices("/invoice"))
    await until(client, 200)
    await client.close()


async def test_a_sidecar_that_starts_with_a_policy_it_rejects_becomes_ready_and_lets_nothing_through(net: Mesh) -> None:
    net.snapshots._master = lambda: b"m" * 32
    net.put(invoices("/invoice", **UNREADABLE))
    await ready(await net.sidecar("orders"), await net.sidecar("billing"))
    client = Client(net.outbound("orders", "billing"), 8080)
    assert (await client.request("GET", "/invoices/17")).status in (403, 500)
    await client.close()
