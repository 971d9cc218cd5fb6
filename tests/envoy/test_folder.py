"""A change in the folder reaches the Envoys that run it, and connections that are open already."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.support.shop import PORT, SECONDS, Heard, Shop, running_shop, write_shop

from lawflow.mesh.sidecar import Identity
from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.engine import StandaloneSettings, standalone
from lawflow.standalone.topology import address
from lawflow.standalone.traffic import Client

pytestmark = pytest.mark.envoy


async def answered(client: Client, status: int, path: str = "/invoices/17") -> None:
    """Repeat a request on one connection until it is answered with ``status``."""
    async with asyncio.timeout(SECONDS):
        while (await client.request("GET", path)).status != status:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.02)


async def refused(client: Client, reason: str) -> None:
    """Repeat a request until it is refused for a reason: an edit closes a flow before it is judged."""
    async with asyncio.timeout(SECONDS):
        while True:
            response = await client.request("GET", "/invoices/17")
            if response.status == 403 and reason in str(response.document["flows"]):
                return
            await asyncio.sleep(0.02)


async def test_a_new_operation_opens_and_a_removed_one_closes_on_a_live_connection(shop: Shop) -> None:
    client = Client(shop.billing_from_orders, PORT)
    await answered(client, 403, "/receipts/17")
    shop.edit("path: /invoices/{invoice}", "path: /receipts/{invoice}")
    await answered(client, 200, "/receipts/17")
    await answered(client, 403, "/invoices/17")
    await client.close()


async def test_a_flow_that_becomes_unlawful_closes_on_a_live_connection_and_opens_again(shop: Shop) -> None:
    client = Client(shop.billing_from_orders, PORT)
    await answered(client, 200)
    shop.edit("article6: A6-1-b", "article6: A6-1-f")
    await refused(client, "shop/orders-to-billing is closed: GDPR-6-1-f")
    shop.edit("article6: A6-1-f", "article6: A6-1-b")
    await answered(client, 200)
    await client.close()
    assert not shop.heard.count("ended"), "what runs goes on, with its flow closed"


async def test_a_workload_whose_change_is_refused_goes_on_as_it_was(shop: Shop) -> None:
    shop.edit(
        "metadata: {labels: {app: orders}}",
        "metadata: {labels: {app: orders}, annotations: {lawflow.dev/flows: marketing-to-billing}}",
    )
    refused_change = ("denied", "Deployment shop/orders")
    await shop.heard.until(
        lambda: refused_change in [(event.kind, event.subject) for event in shop.heard.events], "the refusal"
    )
    assert (await shop.order()).status == 200
    assert not shop.heard.count("ended")


async def test_a_deleted_flow_ends_what_it_let_through(shop: Shop) -> None:
    client = Client(shop.billing_from_orders, PORT)
    await answered(client, 200)
    text = shop.file.read_text()
    documents = text.split("\n---\n")
    shop.file.write_text("\n---\n".join(part for part in documents if "name: orders-to-billing" not in part))
    with pytest.raises((OSError, EOFError)):
        await answered(client, 999)
    await client.close()
    await shop.heard.until(lambda: shop.heard.count("ended"), "the end of a sidecar that no flow needs")
    shop.file.write_text(text)
    await shop.order_until(200)


async def test_a_repaired_workload_is_admitted_and_gets_its_sidecar(shop: Shop) -> None:
    basis = "\n      lawfulBasis:\n        article6: A6-1-b\n        contract: {reference: a, necessity: b}"
    shop.edit("- purpose: dpv:Marketing", "- purpose: dpv:PaymentManagement" + basis)
    async with asyncio.timeout(SECONDS):
        await shop.running.sidecar("shop", "marketing")


async def test_a_broken_file_is_told_and_the_rest_goes_on(shop: Shop) -> None:
    (shop.file.parent / "broken.yaml").write_text("kind: [")
    await shop.heard.until(lambda: shop.heard.count("problem"), "the problem")
    (event,) = [event for event in shop.heard.events if event.kind == "problem"]
    assert event.message.startswith("broken.yaml:1: not YAML")
    assert (await shop.order()).status == 200


async def test_an_envoy_that_is_killed_is_started_again(shop: Shop) -> None:
    sidecar = await shop.running.sidecar("shop", "billing")
    first = sidecar.process.pid
    sidecar.process.kill()
    async with asyncio.timeout(SECONDS):
        while sidecar.process.pid == first or not sidecar.ready.is_set():
            await shop.running.sidecars.change().wait()
    await shop.order_until(200)


async def test_two_folders_run_side_by_side_and_one_folder_runs_once(tmp_path: Path) -> None:
    async with running_shop(tmp_path / "one") as one, running_shop(tmp_path / "two") as two:
        assert one.billing_from_orders != two.billing_from_orders
        assert (await one.order()).status == 200
        with pytest.raises(Exception, match="is run by another process"):
            async with running_shop(tmp_path / "one"):
                pass


async def test_what_the_last_run_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        async with running_shop(tmp_path / "shop") as shop:
            assert (await shop.order()).status == 200
        assert not (tmp_path / "shop" / ".lawflow" / "sidecars").exists()


async def test_a_sidecar_whose_port_is_taken_is_told_of_and_starts_once_it_is_free(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    taken = address(Identity("shop", "billing"), str(folder.resolve()))
    with socket.create_server((taken, PEER_PORT)) as squatter:
        write_shop(folder, 18080)
        heard = Heard()
        async with standalone(StandaloneSettings(folder), heard.take) as running:
            await heard.until(lambda: heard.count("problem"), "the problem")
            (problem,) = [event for event in heard.events if event.kind == "problem"]
            assert f"{taken}:{PEER_PORT} is in use" in problem.message
            squatter.close()
            async with asyncio.timeout(SECONDS):
                await running.sidecar("shop", "billing")
