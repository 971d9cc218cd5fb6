"""The store over a folder behaves as the one over an API server, and never writes a user's file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lawflow.model.kinds import DATA_CONTROLLER, DATA_FLOW, ENDPOINT_SLICE, SERVICE
from lawflow.store.folder import FolderStore
from lawflow.store.manifests import Cache, Content, load, write
from lawflow.store.protocol import ConflictError, NotFoundError, Store, StoreError, WatchEvent

pytestmark = pytest.mark.unit

SERVICE_TEXT = """
apiVersion: v1
kind: Service
metadata: {name: billing, namespace: shop}
spec: {ports: [{port: 8080}]}
"""
FLOW_TEXT = """
apiVersion: lawflow.dev/v1alpha1
kind: DataFlow
metadata: {name: orders-to-billing, namespace: shop}
spec:
  source: {serviceAccountName: orders}
  destination: {service: {name: billing, port: 8080}, role: sameController}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service.yaml").write_text(SERVICE_TEXT)
    (tmp_path / "flow.yaml").write_text(FLOW_TEXT)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> FolderStore:
    return FolderStore(folder, poll_seconds=0.01)


async def next_event(events: AsyncIterator[WatchEvent]) -> WatchEvent:
    async with asyncio.timeout(30):
        return await anext(events)


async def synced(events: AsyncIterator[WatchEvent]) -> list[WatchEvent]:
    seen = []
    while (event := await next_event(events)).type != "SYNCED":
        seen.append(event)
    return seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_a_store(store: FolderStore) -> None:
    as_protocol: Store = store
    assert as_protocol is store


async def test_objects_are_found_by_kind_namespace_and_name(store: FolderStore) -> None:
    found = await store.get(SERVICE, "shop", "billing")
    assert found is not None
    assert found["spec"] == {"ports": [{"port": 8080}]}
    assert await store.get(SERVICE, "other", "billing") is None
    assert [flow["metadata"]["name"] for flow in await store.list(DATA_FLOW)] == ["orders-to-billing"]
    assert await store.list(DATA_FLOW, "other") == []


async def test_an_object_without_a_namespace_lives_in_the_default_one(folder: Path, store: FolderStore) -> None:
    (folder / "more.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: plain}\nspec: {}\n")
    assert await store.get(SERVICE, "default", "plain") is not None


async def test_a_broken_file_is_a_problem_with_its_place_and_the_others_go_on(folder: Path, store: FolderStore) -> None:
    (folder / "broken.yaml").write_text("apiVersion: v1\nkind: [\n")
    assert len(await store.list(DATA_FLOW)) == 1
    (problem,) = store.problems
    assert (problem.file, problem.line) == ("broken.yaml", 2)
    (folder / "broken.yaml").unlink()
    await store.list(DATA_FLOW)
    assert store.problems == ()


async def test_an_object_that_does_not_fit_its_schema_is_told_with_path_and_fix(
    folder: Path, store: FolderStore
) -> None:
    (folder / "flow.yaml").write_text(FLOW_TEXT.replace("role: sameController", "roll: sameController"))
    assert await store.list(DATA_FLOW) == []
    told = {problem.path: problem.fix for problem in store.problems}
    assert told[".spec.destination.roll"] == "did you mean role?"
    assert await store.get(SERVICE, "shop", "billing") is not None


async def test_a_service_that_cannot_be_read_is_a_problem_and_not_served(folder: Path, store: FolderStore) -> None:
    (folder / "service.yaml").write_text(SERVICE_TEXT.replace("[{port: 8080}]", "none"))
    assert await store.list(SERVICE) == []
    (problem,) = store.problems
    assert str(problem).startswith("service.yaml:5: .spec.ports: is not a list")


async def test_of_two_objects_with_one_name_the_first_counts_and_the_second_is_told(
    folder: Path, store: FolderStore
) -> None:
    (folder / "zzz.yaml").write_text(SERVICE_TEXT.replace("8080", "9090"))
    found = await store.get(SERVICE, "shop", "billing")
    assert found is not None
    assert found["spec"]["ports"] == [{"port": 8080}]
    assert [problem.file for problem in store.problems] == ["zzz.yaml"]


@pytest.mark.parametrize("name", ["../../escape", "a/b", "UPPER", "-x"])
async def test_a_name_that_could_leave_the_folder_is_refused(folder: Path, store: FolderStore, name: str) -> None:
    (folder / "flow.yaml").write_text(FLOW_TEXT.replace("orders-to-billing", f'"{name}"'))
    assert await store.list(DATA_FLOW) == []
    assert [problem.path for problem in store.problems] == [".metadata.name"]


async def test_hidden_folders_are_not_read(folder: Path, store: FolderStore) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "x.yaml").write_text("kind: [")
    await store.list(SERVICE)
    assert store.problems == ()


async def test_status_is_merged_beside_the_users_file_and_survives_a_restart(folder: Path, store: FolderStore) -> None:
    before = (folder / "flow.yaml").read_text()
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-b", "peers": "a"})
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"peers": None})
    assert (folder / "flow.yaml").read_text() == before
    again = await FolderStore(folder).get(DATA_FLOW, "shop", "orders-to-billing")
    assert again is not None
    assert again["status"] == {"basis": "A6-1-b"}


async def test_what_lawflow_writes_is_readable_by_its_owner_alone(folder: Path, store: FolderStore) -> None:
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-b"})
    (path,) = (folder / ".lawflow" / "status").rglob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_status_of_a_missing_object_is_refused(store: FolderStore) -> None:
    with pytest.raises(NotFoundError, match="shop/none"):
        await store.patch_status(DATA_FLOW, "shop", "none", {})


async def test_status_of_an_outdated_version_is_a_conflict(store: FolderStore) -> None:
    judged = await store.get(DATA_FLOW, "shop", "orders-to-billing")
    assert judged is not None
    version = judged["metadata"]["resourceVersion"]
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-b"}, version)
    with pytest.raises(ConflictError, match="shop/orders-to-billing has changed"):
        await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-f"}, version)


async def test_status_of_an_object_that_its_file_loses_meanwhile_is_refused(
    folder: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_late(path: Path, document: object) -> None:
        (folder / "flow.yaml").unlink()
        write(path, document)

    monkeypatch.setattr("lawflow.store.folder.write", write_late)
    with pytest.raises(NotFoundError, match="shop/orders-to-billing"):
        await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-b"})


async def test_a_patch_changes_what_is_served_and_not_the_users_file(folder: Path, store: FolderStore) -> None:
    before = (folder / "service.yaml").read_text()
    await store.patch(SERVICE, "shop", "billing", {"metadata": {"annotations": {"a": "1", "b": "2"}}})
    await store.patch(SERVICE, "shop", "billing", {"metadata": {"annotations": {"a": None}}, "spec": {"ports": None}})
    found = await store.get(SERVICE, "shop", "billing")
    assert found is not None
    assert found["metadata"]["annotations"] == {"b": "2"}
    assert found["spec"] == {}
    assert (folder / "service.yaml").read_text() == before


async def test_objects_of_lawflows_own_can_be_made_changed_and_deleted(store: FolderStore) -> None:
    made = {"metadata": {"name": "billing-1", "namespace": "shop"}, "endpoints": [{"addresses": ["127.1.1.1"]}]}
    await store.apply(ENDPOINT_SLICE, made)
    await store.apply(ENDPOINT_SLICE, {**made, "endpoints": []})
    found = await store.get(ENDPOINT_SLICE, "shop", "billing-1")
    assert found is not None
    assert found["endpoints"] == []
    assert found["kind"] == "EndpointSlice"
    with pytest.raises(ConflictError):
        await store.create(ENDPOINT_SLICE, made)
    await store.delete(ENDPOINT_SLICE, "shop", "billing-1")
    await store.delete(ENDPOINT_SLICE, "shop", "billing-1")
    assert await store.list(ENDPOINT_SLICE) == []


async def test_an_object_of_the_user_is_not_deleted(store: FolderStore) -> None:
    with pytest.raises(StoreError, match="remove it there"):
        await store.delete(SERVICE, "shop", "billing")


async def test_an_edit_of_the_spec_raises_the_generation_and_a_status_does_not(
    folder: Path, store: FolderStore
) -> None:
    async def generation() -> int:
        found = await store.get(DATA_FLOW, "shop", "orders-to-billing")
        assert found is not None
        number: int = found["metadata"]["generation"]
        return number

    first = await generation()
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "x"})
    assert await generation() == first
    await store.patch(DATA_FLOW, "shop", "orders-to-billing", {"metadata": {"annotations": {"a": "b"}}})
    assert await generation() == first
    (folder / "flow.yaml").write_text(FLOW_TEXT.replace("8080", "8081"))
    assert await generation() > first


async def test_a_watch_tells_what_exists_then_every_change(folder: Path, store: FolderStore) -> None:
    events = store.watch(SERVICE)
    assert [event.type for event in await synced(events)] == ["ADDED"]
    (folder / "service.yaml").write_text(SERVICE_TEXT.replace("8080", "9090"))
    changed = await next_event(events)
    assert (changed.type, changed.object["spec"]["ports"][0]["port"]) == ("MODIFIED", 9090)
    (folder / "service.yaml").unlink()
    assert (await next_event(events)).type == "DELETED"


async def test_a_watch_hears_of_what_the_same_process_writes(store: FolderStore) -> None:
    events = store.watch(DATA_FLOW, "shop")
    await synced(events)
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-b"})
    assert (await next_event(events)).object["status"] == {"basis": "A6-1-b"}


async def test_a_wait_that_is_cancelled_at_the_moment_of_a_change_ends(folder: Path) -> None:
    store = FolderStore(folder, poll_seconds=60)
    await store.list(SERVICE)
    waiting = asyncio.create_task(store.change())
    await asyncio.sleep(0)
    await store.patch_status(DATA_FLOW, "shop", "orders-to-billing", {"basis": "A6-1-b"})
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_object_that_becomes_unusable_is_gone(folder: Path, store: FolderStore) -> None:
    events = store.watch(DATA_FLOW)
    await synced(events)
    (folder / "flow.yaml").write_text("kind: [")
    assert (await next_event(events)).type == "DELETED"


async def test_a_manifest_that_is_written_to_while_it_is_read_is_read_again(
    folder: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await store.get(DATA_FLOW, "shop", "orders-to-billing")
    assert before is not None
    written = (folder / "flow.yaml").read_text() + "# edited\n"
    (folder / "flow.yaml").write_text(written)

    def caught(read: Path, cache: Cache) -> Content:
        (folder / "flow.yaml").write_text("")  # as editors do, before they write
        found = load(read, cache)
        (folder / "flow.yaml").write_text(written)
        monkeypatch.undo()
        return found

    monkeypatch.setattr("lawflow.store.folder.load", caught)
    after = await store.get(DATA_FLOW, "shop", "orders-to-billing")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"], "the same object"


async def test_an_object_that_returns_under_its_name_is_another_one(folder: Path, store: FolderStore) -> None:
    first = await store.get(DATA_FLOW, "shop", "orders-to-billing")
    (folder / "flow.yaml").unlink()
    assert await store.get(DATA_FLOW, "shop", "orders-to-billing") is None
    (folder / "flow.yaml").write_text(FLOW_TEXT)
    second = await store.get(DATA_FLOW, "shop", "orders-to-billing")
    assert first is not None
    assert second is not None
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert second == await store.get(DATA_FLOW, "shop", "orders-to-billing")


async def test_cluster_scoped_kinds_have_no_namespace(folder: Path, store: FolderStore) -> None:
    (folder / "controller.yaml").write_text(
        "apiVersion: lawflow.dev/v1alpha1\nkind: DataController\nmetadata: {name: acme, namespace: shop}\n"
        "spec: {name: Acme B.V., country: NL}\n"
    )
    found = await store.list(DATA_CONTROLLER)
    assert store.problems or "namespace" not in found[0]["metadata"]


async def test_what_is_returned_can_be_changed_without_changing_the_store(store: FolderStore) -> None:
    (first,) = await store.list(SERVICE)
    first["spec"]["ports"].clear()
    (second,) = await store.list(SERVICE)
    assert second["spec"]["ports"]


async def test_a_missing_folder_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a folder"):
        await FolderStore(tmp_path / "none").list(SERVICE)
