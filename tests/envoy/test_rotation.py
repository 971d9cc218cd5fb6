"""Certificates and roots are replaced while requests flow, and no request notices."""

import datetime as dt
from pathlib import Path

import pytest
from tests.support.shop import PORT, SERVER_NAME, Shop, running_shop

from lawflow.controller.authority import REPLACE_ROOT, SECRET_NAME
from lawflow.identity.pem import fingerprint
from lawflow.model.kinds import SECRET
from lawflow.model.sidecar import PEER_PORT
from lawflow.model.trust_bundle import SYSTEM_NAMESPACE
from lawflow.standalone.traffic import Client, constant_load, mutual_tls

pytestmark = pytest.mark.envoy

LIFE = dt.timedelta(seconds=16)
"""A busy machine must not need the half that is left when a certificate is renewed."""


async def presented(shop: Shop) -> str:
    """Serial number of the certificate that billing presents to a new connection."""
    billing = await shop.running.sidecar("shop", "billing")
    tls = mutual_tls(shop.running.bundle, shop.running.credential("shop", "orders"))
    client = Client(billing.address, PEER_PORT, tls=tls, server_name=SERVER_NAME)
    await client.request("GET", "/invoices/17")
    serial = client.peer_serial_number()
    await client.close()
    return serial


async def test_leaves_rotate_under_load_without_a_failed_request(tmp_path: Path) -> None:
    async with running_shop(tmp_path / "shop", LIFE) as shop:
        first = await presented(shop)
        async with constant_load(shop.billing_from_orders, PORT, "/invoices/17") as load:
            before = shop.heard.count("rotated")
            await shop.heard.until(lambda: shop.heard.count("rotated") >= before + 3, "three rotations")
            await load.sent(100)
        assert load.failures == []
        assert await presented(shop) != first


async def test_a_root_is_replaced_under_load_and_both_are_trusted_meanwhile(tmp_path: Path) -> None:
    async with running_shop(tmp_path / "shop", LIFE) as shop:
        running = shop.running
        old = running.environment.authority[0].rotation.issuing
        async with constant_load(shop.billing_from_orders, PORT, "/invoices/17") as load:
            annotations = {"metadata": {"annotations": {REPLACE_ROOT: fingerprint(old)}}}
            await running.store.patch(SECRET, SYSTEM_NAMESPACE, SECRET_NAME, annotations)
            await shop.heard.until(
                lambda: running.environment.authority[0].rotation.issuing != old, "the new root's issuer at work"
            )
            roots = running.environment.authority[0].bundle.roots
            assert old in roots
            assert len(roots) == 2
            before = shop.heard.count("rotated")
            await shop.heard.until(lambda: shop.heard.count("rotated") >= before + 2, "leaves under the new root")
            await load.sent(100)
        assert load.failures == []


async def test_a_connection_outlives_no_more_than_half_a_certificate(tmp_path: Path) -> None:
    async with running_shop(tmp_path / "shop", LIFE) as shop:
        billing = await shop.running.sidecar("shop", "billing")
        tls = mutual_tls(shop.running.bundle, shop.running.credential("shop", "orders"))
        client = Client(billing.address, PEER_PORT, tls=tls, server_name=SERVER_NAME)
        asked = 0
        while (await client.request("GET", "/invoices/17")).headers.get("connection") != "close":
            asked += 1
        assert asked > 0
