"""How a sidecar is served: as its pod was made, whatever else runs under its service account."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lawflow.mesh.sidecar import Identity
from lawflow.model import labels
from lawflow.model.kinds import POD, Kind
from lawflow.store.folder import FolderStore
from lawflow.store.protocol import Object, StoreError
from lawflow.xds.interception import Interceptions, capture

pytestmark = pytest.mark.unit

ORDERS = Identity("shop", "orders")


def pod(mode: str, *addresses: str) -> dict[str, Any]:
    metadata = {"name": "orders-1", "namespace": "shop", "annotations": {labels.INTERCEPTION: mode}}
    status = {"podIPs": [{"ip": address} for address in addresses]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}


async def put(store: FolderStore, made: dict[str, Any]) -> None:
    await store.create(POD, made)
    await store.patch_status(POD, "shop", "orders-1", made["status"])


class Interrupted(FolderStore):
    """A folder that can be out of reach for a while."""

    away = False

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        if self.away:
            raise StoreError("out of reach")
        return await super().get(kind, namespace, name)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (pod("explicit", "10.0.0.1"), ()),
        (pod("redirect", "10.0.0.1"), ("127.0.0.1",)),
        (pod("redirect", "fd00::1", "10.0.0.1"), ("127.0.0.1", "::1")),
        (pod("redirect", "fd00::1"), ("::1",)),
        (pod("redirect"), None),
        ({"metadata": {}}, ()),
    ],
)
def test_connections_arrive_in_the_families_that_the_pod_has(made: Any, expected: Any) -> None:
    assert capture(made) == expected


async def test_a_pod_without_an_address_is_asked_for_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.create(POD, pod("redirect"))
    asked = asyncio.create_task(Interceptions(store, retry_seconds=0.01)(ORDERS, "shop/orders-1"))
    await asyncio.wait([asked], timeout=0.05)
    assert not asked.done()
    await store.patch_status(POD, "shop", "orders-1", {"podIPs": [{"ip": "10.0.0.1"}]})
    async with asyncio.timeout(30):
        assert await asked == ("127.0.0.1",)


async def test_what_a_pod_said_holds_while_nobody_can_be_asked(tmp_path: Path) -> None:
    store = Interrupted(tmp_path)
    await put(store, pod("redirect", "10.0.0.1"))
    interceptions = Interceptions(store, retry_seconds=0.01)
    assert await interceptions(ORDERS, "shop/orders-1") == ("127.0.0.1",)
    store.away = True
    async with asyncio.timeout(30):
        assert await interceptions(ORDERS, "shop/orders-1") == ("127.0.0.1",)
        unknown = asyncio.create_task(interceptions(ORDERS, "shop/orders-2"))
        await asyncio.wait([unknown], timeout=0.05)
        assert not unknown.done()
        store.away = False
        assert await unknown == ()


@pytest.mark.parametrize("node", ["finance/orders-1", "shop/", "sidecar", ""])
async def test_a_node_that_names_no_pod_of_its_namespace_redirects_nothing(tmp_path: Path, node: str) -> None:
    store = FolderStore(tmp_path)
    await put(store, pod("redirect", "10.0.0.1"))
    assert await Interceptions(store)(ORDERS, node) == ()
