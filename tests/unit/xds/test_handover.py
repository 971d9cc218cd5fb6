"""Snapshots on their way to the standby."""

import pytest
from tests.support.sidecars import flow

from lawflow.mesh.resources import LISTENER
from lawflow.mesh.sidecar import Identity, MeshSettings, PodNetwork
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.protocol import WatchEvent
from lawflow.xds.handover import from_message, key_of, name_of, to_message, version_of
from lawflow.xds.last_known import LastKnown
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.source import Key, Snapshot
from lawflow.xds.world import World

pytestmark = pytest.mark.unit

REDIRECTED = Key(Identity("shop", "orders"), PodNetwork((4, 6), redirected=True), 1)


def snapshot(path: str, bundle: str = "1") -> Snapshot:
    world = World()
    world.take(DATA_FLOW, WatchEvent("ADDED", flow("orders", "billing", path)))
    snapshots = Snapshots(world, MeshSettings("example.org"), clock=lambda: 0.0)
    snapshots._bundle = "roots", bundle
    return snapshots.snapshot(REDIRECTED)


def test_a_snapshot_arrives_as_it_left() -> None:
    sent = snapshot("/x")
    assert sent.resources[LISTENER]
    assert sent.policies_by_route
    wire = to_message("name", "version", sent).SerializeToString()
    assert from_message(to_message("", "", sent).FromString(wire)) == ("name", "version", sent)


@pytest.mark.parametrize("key", [REDIRECTED, Key(Identity("shop", "orders"))])
def test_a_name_says_the_whole_key(key: Key) -> None:
    assert key_of(name_of(key)) == key


def test_what_another_hands_over_who_stands_by_replaces_nothing_that_a_server_did() -> None:
    known, (name, other) = LastKnown(), (name_of(REDIRECTED), name_of(Key(Identity("shop", "billing"))))
    new, old = snapshot("/new"), snapshot("/old")
    known.take(to_message(name, "2", new), first_hand=True)
    for each in (name, other):
        known.take(to_message(each, "1", old), first_hand=False)
    assert known.versions == {name: "2", other: "1"}
    assert known.snapshot(REDIRECTED) == new
    assert known.expected() == [REDIRECTED, Key(Identity("shop", "billing"))]
    known.take(to_message(other, "3", new), first_hand=True)
    assert known.snapshot(Key(Identity("shop", "billing"))) == new


def test_a_version_changes_with_what_is_served() -> None:
    assert version_of(snapshot("/x")) == version_of(snapshot("/x"))
    assert len({version_of(each) for each in (snapshot("/x"), snapshot("/y"), snapshot("/x", "2"))}) == 3
