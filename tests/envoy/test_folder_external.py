"""A folder whose workload calls a host outside: without a gateway, its own sidecar does so."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from tests.support import flows, merchant
from tests.support.outside import HOST, Outside, outside
from tests.support.shop import SECONDS, Heard
from tests.support.waiting import seen

from lawflow.controller.conditions import condition
from lawflow.mesh.route import PEER_PROBLEM
from lawflow.model.kinds import DATA_FLOW
from lawflow.standalone.engine import APP_ROOTS, Standalone, StandaloneSettings, standalone
from lawflow.standalone.traffic import Client, Response
from lawflow.store.manifests import STATE

pytestmark = pytest.mark.envoy

CHARGE = {
    "name": "charge",
    "methods": ["POST"],
    "path": "/v1/charges",
    "request": {"fields": [{"pointer": "/customer/id", "category": "pd:Identifying", "necessity": "the charge"}]},
    "response": {"fields": [{"pointer": "/charge/id", "category": "none"}]},
}
BODY = b'{"customer": {"id": "7", "name": "Jane Doe"}, "amount": 5}'
ANSWER = b'{"charge": {"id": "c1", "card": "4111111111111111"}}'
SOURCE = "spiffe://cluster.local/ns/shop/sa/orders"


@contextlib.asynccontextmanager
async def running(directory: Path, peer: Outside, tls: str = "originate") -> AsyncIterator[Standalone]:
    """The folder with its sidecar ready."""
    external = {"host": HOST, "port": peer.port, "organisation": "PSP B.V.", "country": "NL", "tls": tls}
    destination = {**flows.lasting(merchant.flow("shop")["spec"]["destination"]), "external": external}
    objects = [
        *merchant.references("shop"),
        merchant.flow("shop", destination=destination, operations=[CHARGE]),
        merchant.deployment("shop"),
    ]
    folder = directory / "shop"
    folder.mkdir()
    (folder / "shop.yaml").write_text(yaml.safe_dump_all(objects))
    async with standalone(StandaloneSettings(folder, external_roots=peer.roots), Heard().take) as made:
        async with asyncio.timeout(SECONDS):
            await made.sidecar("shop", "orders")
        yield made


async def call(
    made: Standalone, peer: Outside, path: str = "/v1/charges", tls: ssl.SSLContext | None = None
) -> Response:
    """One answered request of the app of orders."""

    async def answered() -> Response | None:
        address = made.loopback("shop", "orders", HOST)
        client = Client(address, peer.port, tls=tls, server_name=HOST)
        try:
            return await client.request("POST", path, {"content-type": "application/json"}, BODY)
        except (OSError, EOFError):
            # Until the listener is there.
            return None
        finally:
            await client.close()

    return await seen(answered, "an answer")


async def test_a_declared_call_leaves_with_declared_fields_alone_and_status_says_that_it_may(tmp_path: Path) -> None:
    async with outside(tmp_path, ANSWER) as peer, running(tmp_path, peer) as made:
        response = await call(made, peer)
        assert (response.status, response.body) == (200, b'{"charge":{"id":"c1"}}')
        assert [body for _, _, body in peer.requests] == [b'{"customer":{"id":"7"}}']
        refused = await call(made, peer, "/v1/customers")
        assert (refused.status, refused.document["enforcedBy"]) == (403, SOURCE)
        assert len(peer.requests) == 1
        await seen(in_force(made), "Enforced")


async def test_a_host_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    async with outside(tmp_path, ANSWER, certified="other.example") as peer, running(tmp_path, peer) as made:
        response = await call(made, peer)
        assert response.status == 503
        assert str(response.document["detail"]).startswith(f"{HOST}:{peer.port}: ")
        assert peer.requests == []


async def test_a_host_outside_cannot_pass_its_text_off_as_a_sidecars(tmp_path: Path) -> None:
    forged = json.dumps(
        {
            "type": "https://lawflow.dev/problems/body-syntax",
            "title": "Jane Doe",
            "status": 502,
            "detail": "jane.doe@example.org",
            "enforcedBy": SOURCE,
        }
    )
    told = ("content-type: application/problem+json", f"{PEER_PROBLEM}: 1")
    async with (
        outside(tmp_path, forged.encode(), status="502 Bad Gateway", told=told) as peer,
        running(tmp_path, peer) as made,
    ):
        response = await call(made, peer)
        assert (response.status, response.body) == (502, b"{}")


async def test_the_apps_own_tls_goes_through_as_it_is(tmp_path: Path) -> None:
    async with outside(tmp_path, ANSWER) as peer, running(tmp_path, peer, tls="passthrough") as made:
        response = await call(made, peer, "/anything", ssl.create_default_context(cafile=str(peer.roots)))
        assert (response.status, response.body) == (200, ANSWER)


async def test_an_app_that_trusts_its_sidecar_has_its_own_tls_ended_filtered_and_made_anew(tmp_path: Path) -> None:
    async with outside(tmp_path, ANSWER) as peer, running(tmp_path, peer, tls="terminate") as made:
        roots = made.settings.folder / STATE / APP_ROOTS / "shop.pem"
        await seen(lambda: asyncio.sleep(0, roots.exists()), "the roots for the app")
        trusting = ssl.create_default_context(cafile=str(roots))
        response = await call(made, peer, tls=trusting)
        assert (response.status, response.body) == (200, b'{"charge":{"id":"c1"}}')
        assert [body for _, _, body in peer.requests] == [b'{"customer":{"id":"7"}}']
        refused = await call(made, peer, "/v1/customers", trusting)
        assert (refused.status, refused.document["enforcedBy"]) == (403, SOURCE)
        assert len(peer.requests) == 1
        await seen(in_force(made), "Enforced")
        client = Client(made.loopback("shop", "orders", HOST), peer.port, tls=trusting, server_name="other.example")
        with pytest.raises((OSError, EOFError)):
            await client.request("POST", "/v1/charges", {}, b"{}")
        context = ssl.create_default_context(cafile=str(peer.roots))
        client = Client(made.loopback("shop", "orders", HOST), peer.port, tls=context, server_name=HOST)
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.request("POST", "/v1/charges", {}, b"{}")


def in_force(made: Standalone) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        flow = await made.store.get(DATA_FLOW, "shop", "orders-to-psp")
        found = condition((flow or {}).get("status"), "Enforced")
        return bool(found and found["status"] == "True")

    return look
