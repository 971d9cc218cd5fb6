"""A defect in the module refuses the request that met it and no other: the worker lives, and nothing leaks.

The module is built a second time for this, with a feature that lets a body ask for a panic.
"""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.builds import cache
from tests.support.shop import PORT, Shop, running_shop
from tests.support.waiting import seen

from lawflow.standalone.envoy import MODULES_VARIABLE
from lawflow.standalone.traffic import Client

pytestmark = pytest.mark.envoy

SIDECAR = Path(__file__).resolve().parents[2] / "sidecar"
MODULE = "liblawflow_sidecar.so"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def defective_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = cache() / "sidecar"  # where `make test` has built the rest of it by this profile
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    options = ["--profile=test", "--locked", "--quiet", "--package=lawflow-envoy", "--features=defect"]
    subprocess.run(["cargo", "build", *options], check=True, cwd=SIDECAR, env=environment)
    directory = tmp_path_factory.mktemp("module")
    (directory / MODULE).write_bytes((target / "debug" / MODULE).read_bytes())
    return directory


@pytest.fixture
async def shop(defective_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setenv(MODULES_VARIABLE, str(defective_module))
    async with running_shop(tmp_path / "shop") as running:
        yield running


async def test_a_defect_refuses_its_request_and_the_sidecar_goes_on(shop: Shop) -> None:
    orders = await shop.running.sidecar("shop", "orders")
    before = orders.process.pid
    client = Client(shop.billing_from_orders, PORT)
    for _ in range(3):
        response = await client.request("POST", "/invoices", JSON, b"defect SECRET-7d1f")
        assert response.status == 500
        assert str(response.document["type"]).endswith("/defect")
        assert (await client.request("POST", "/invoices", JSON, b'{"order": "17"}')).document == {
            "received": '{"order":"17"}'
        }
    await client.close()
    assert orders.process.pid == before

    async def counted() -> bool | None:
        _, stats = await orders.process.admin("/stats?filter=lawflow_defects")
        return stats.strip().endswith(": 3") or None

    assert await seen(counted, "three defects in the statistics")

    async def logged() -> str | None:
        log = orders.process.log.read_text()
        return log if log.count("lawflow met a defect at ") == 3 else None

    assert "SECRET-7d1f" not in await seen(logged, "three defects in the log")
