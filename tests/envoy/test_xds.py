"""Sidecars live through the end of their xDS server, and are told nothing that is not theirs."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.shop import SECONDS
from tests.support.sidecars import Mesh, flow, mesh

from lawflow.standalone.sidecars import RunningSidecar
from lawflow.standalone.traffic import Client, invoice_app

pytestmark = pytest.mark.envoy


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with mesh(tmp_path) as made:
        yield made


async def ready(*sidecars: RunningSidecar) -> None:
    async with asyncio.timeout(SECONDS):
        for sidecar in sidecars:
            await sidecar.ready.wait()


async def answered(client: Client, status: int, path: str) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                if (await client.request("GET", path)).status == status:
                    return
            except (ConnectionRefusedError, EOFError):
                await client.close()
            await asyncio.sleep(0.02)


async def acknowledged(net: Mesh, count: int) -> None:
    """Return once ``count`` sidecars are connected and have the trust bundle."""
    async with asyncio.timeout(SECONDS):
        while True:
            answer = net.service.answer()
            held = [each for each in net.service.connections() if each.bundle_acknowledged == net.bundle.version]
            if len(held) == count:
                return
            await answer.wait()


async def refused_for_its_name(sidecar: RunningSidecar) -> bool:
    """Whether the sidecar has hung up on a server whose certificate names somebody else."""
    with contextlib.suppress(OSError):
        _, counters = await sidecar.process.admin("/stats?filter=cluster.xds.ssl.fail_verify_san")
        return counters.strip() not in ("", "cluster.xds.ssl.fail_verify_san: 0")
    return False


async def test_envoy_goes_on_without_the_server_and_hears_of_changes_after_its_return(net: Mesh) -> None:
    async with invoice_app() as app:
        net.put(flow("orders", "billing", "/old"))
        net.local_port("billing", app)
        await ready(await net.sidecar("orders"), await net.sidecar("billing"))
        client = Client(net.outbound("orders", "billing"), 8080)
        await answered(client, 200, "/old")
        await net.end_server()
        assert (await client.request("GET", "/old")).status == 200
        net.put(flow("orders", "billing", "/new"))
        assert (await client.request("GET", "/new")).status == 403
        await net.serve()
        net.local_port("billing", app)
        await answered(client, 200, "/new")
        await answered(client, 403, "/old")
        await client.close()


async def test_a_server_that_comes_back_is_told_what_sidecars_hold_already(net: Mesh) -> None:
    net.put(flow("orders", "billing", "/x"))
    await ready(await net.sidecar("orders"), await net.sidecar("billing"))
    await net.end_server()
    await net.serve()
    await acknowledged(net, 2)


async def test_an_impostor_of_the_server_is_not_listened_to(net: Mesh) -> None:
    await net.end_server()
    await net.serve(net.credential("shop", "intruder"))
    net.put(flow("orders", "billing", "/x"))
    sidecar = await net.sidecar("orders")
    async with asyncio.timeout(SECONDS):
        while not await refused_for_its_name(sidecar):  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.05)
    assert not sidecar.ready.is_set()


async def test_a_sidecar_is_sent_what_its_certificate_entitles_it_to_and_nothing_else(net: Mesh) -> None:
    net.put(flow("orders", "billing", "/x"))
    net.put(flow("crm", "mail", "/y"))
    sidecar = await net.sidecar("orders")
    await ready(sidecar)
    _, dump = await sidecar.process.admin("/config_dump")
    assert "outbound/shop/billing:8080" in dump
    assert "mail" not in json.dumps(json.loads(dump)["configs"])


def test_callers_that_break_handshakes_off_do_not_end_the_server() -> None:
    attack = [sys.executable, "-m", "tests.support.broken_handshakes", "300"]
    done = subprocess.run(attack, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
