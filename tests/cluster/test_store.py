"""The store over a real API server: reads, writes, and watches that survive what happens to the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.support.cluster import Cluster

from lawflow.model.kinds import CONFIG_MAP, NAMESPACE, SECRET
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import ConflictError, NotFoundError, Object, Store, StoreError, WatchEvent

pytestmark = pytest.mark.cluster


def config_map(namespace: str, name: str, **data: str) -> Object:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def next_event(watch: AsyncIterator[WatchEvent]) -> WatchEvent:
    async with asyncio.timeout(60):
        return await anext(watch)


async def until_synced(watch: AsyncIterator[WatchEvent]) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    while (event := await next_event(watch)).type != "SYNCED":
        seen.append((event.type, event.object["metadata"]["name"]))
    return seen


async def test_an_object_that_does_not_exist_is_none(store: Store, namespace: str) -> None:
    assert await store.get(CONFIG_MAP, namespace, "missing") is None


async def test_a_created_object_is_read_listed_patched_and_deleted(store: Store, namespace: str) -> None:
    created = await store.create(CONFIG_MAP, config_map(namespace, "poem", line="one"))
    await store.patch(CONFIG_MAP, namespace, "poem", {"data": {"line": None, "title": "two"}})
    found = await store.get(CONFIG_MAP, namespace, "poem")
    assert found is not None
    assert found["data"] == {"title": "two"}
    assert "managedFields" not in found["metadata"]
    listed = {item["metadata"]["name"]: item for item in await store.list(CONFIG_MAP, namespace)}
    assert listed["poem"] == found
    await store.delete(CONFIG_MAP, namespace, "poem", uid=created["metadata"]["uid"])
    assert await store.get(CONFIG_MAP, namespace, "poem") is None
    await store.delete(CONFIG_MAP, namespace, "poem")


async def test_an_object_that_took_anothers_name_is_not_deleted_in_its_place(store: Store, namespace: str) -> None:
    await store.create(CONFIG_MAP, config_map(namespace, "second"))
    await store.delete(CONFIG_MAP, namespace, "second", uid="00000000-0000-0000-0000-000000000000")
    assert await store.get(CONFIG_MAP, namespace, "second") is not None


async def test_creating_twice_is_a_conflict(store: Store, namespace: str) -> None:
    await store.create(CONFIG_MAP, config_map(namespace, "once"))
    with pytest.raises(ConflictError, match=rf"POST /api/v1/namespaces/{namespace}/configmaps: AlreadyExists"):
        await store.create(CONFIG_MAP, config_map(namespace, "once"))


async def test_a_patch_of_an_outdated_version_is_a_conflict(store: Store, namespace: str) -> None:
    created = await store.create(CONFIG_MAP, config_map(namespace, "raced", line="one"))
    await store.patch(CONFIG_MAP, namespace, "raced", {"data": {"line": "two"}})
    outdated = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"line": "three"}}
    with pytest.raises(ConflictError):
        await store.patch(CONFIG_MAP, namespace, "raced", outdated)


async def test_patching_what_does_not_exist_is_not_found(store: Store, namespace: str) -> None:
    with pytest.raises(NotFoundError):
        await store.patch(CONFIG_MAP, namespace, "missing", {"data": {}})


async def test_applying_creates_and_then_takes_back_fields_that_are_no_longer_named(
    store: Store, namespace: str
) -> None:
    await store.apply(CONFIG_MAP, config_map(namespace, "applied", one="1", two="2"))
    await store.apply(CONFIG_MAP, config_map(namespace, "applied", one="1"))
    found = await store.get(CONFIG_MAP, namespace, "applied")
    assert found is not None
    assert found["data"] == {"one": "1"}


async def test_a_list_longer_than_a_page_is_read_whole(
    store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lawflow.store.kubernetes.PAGE_SIZE", 2)
    for position in range(5):
        await store.create(CONFIG_MAP, config_map(namespace, f"page-{position}"))
    names = [item["metadata"]["name"] for item in await store.list(CONFIG_MAP, namespace)]
    assert sorted(names) == ["kube-root-ca.crt", *(f"page-{position}" for position in range(5))]


async def test_a_refused_secret_is_not_quoted(store: Store, namespace: str) -> None:
    metadata = {"namespace": namespace, "name": "key"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"hush/hush": "aHVzaA=="}}
    with pytest.raises(StoreError) as refusal:
        await store.create(SECRET, secret)
    assert str(refusal.value) == f"POST /api/v1/namespaces/{namespace}/secrets: Invalid"


async def test_a_server_that_is_away_is_a_store_error(store: Store, control_plane: Cluster, namespace: str) -> None:
    control_plane.kill("kube-apiserver")
    try:
        with pytest.raises(StoreError, match="GET /api/v1/namespaces"):
            await store.list(NAMESPACE)
    finally:
        control_plane.start("kube-apiserver")


async def test_a_user_without_the_right_is_told_which_call_was_forbidden(
    control_plane: Cluster, namespace: str
) -> None:
    nobody = control_plane.user("nobody")
    async with await KubernetesStore.connect(nobody.kubeconfig) as store:
        with pytest.raises(StoreError, match=rf"GET /api/v1/namespaces/{namespace}/secrets/key: Forbidden"):
            await store.get(SECRET, namespace, "key")


async def test_a_service_account_is_known_by_its_token(control_plane: Cluster, namespace: str) -> None:
    account = control_plane.service_account(namespace, "default")
    async with await KubernetesStore.connect(account.kubeconfig) as store:
        with pytest.raises(StoreError, match=f"system:serviceaccount:{namespace}:default"):
            await store.list(CONFIG_MAP, namespace)


async def test_a_watch_tells_what_exists_then_that_it_is_all_then_every_change(store: Store, namespace: str) -> None:
    await store.create(CONFIG_MAP, config_map(namespace, "early"))
    async with aclosing(store.watch(CONFIG_MAP, namespace)) as watch:  # type: ignore[type-var]
        assert ("ADDED", "early") in await until_synced(watch)
        await store.create(CONFIG_MAP, config_map(namespace, "late"))
        await store.patch(CONFIG_MAP, namespace, "late", {"data": {"line": "two"}})
        await store.delete(CONFIG_MAP, namespace, "late")
        changes = [await next_event(watch) for _ in range(3)]
    assert [(event.type, event.object["metadata"]["name"]) for event in changes] == [
        ("ADDED", "late"),
        ("MODIFIED", "late"),
        ("DELETED", "late"),
    ]


async def test_a_watch_goes_on_after_the_server_and_its_database_were_killed(
    store: Store, control_plane: Cluster, namespace: str
) -> None:
    await store.create(CONFIG_MAP, config_map(namespace, "early"))
    async with aclosing(store.watch(CONFIG_MAP, namespace)) as watch:  # type: ignore[type-var]
        await until_synced(watch)
        for component in ("kube-apiserver", "etcd"):
            control_plane.kill(component)
        for component in ("etcd", "kube-apiserver"):
            control_plane.start(component)
        control_plane.apply(config_map(namespace, "late"))
        while (event := await next_event(watch)).object["metadata"]["name"] != "late":
            pass
    assert event.type == "ADDED"
