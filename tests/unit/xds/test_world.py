"""What the mesh is told of a flow that changes."""

from typing import Any

import pytest
from tests.support.sidecars import flow

from lawflow.mesh.sidecar import Identity
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.protocol import WatchEvent
from lawflow.xds.world import World

pytestmark = pytest.mark.unit

ORDERS = Identity("shop", "orders")


def declared(path: str, generation: int, judged: int, lawful: str = "True", uid: str = "one") -> dict[str, Any]:
    """A flow at a generation, with a verdict on the same or an earlier one."""
    found = flow("orders", "billing", path)
    found["metadata"] |= {"generation": generation, "uid": uid}
    found["status"]["conditions"][0] |= {"observedGeneration": judged, "status": lawful, "message": "no basis"}
    return found


@pytest.fixture
def world() -> World:
    made = World()
    made.take(DATA_FLOW, WatchEvent("ADDED", declared("/old", 1, 1)))
    return made


def passing(world: World) -> list[tuple[str, str]]:
    """Path and why it is closed, for each flow of the source."""
    return [(each.flow.flow.spec.operations[0].path, each.closed) for each in world.passages(ORDERS)]


def test_an_edited_flow_goes_on_as_it_was_until_it_is_judged(world: World) -> None:
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 2, 1)))
    assert passing(world) == [("/old", "")]
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 2, 2)))
    assert passing(world) == [("/new", "")]


def test_an_edit_that_is_found_unlawful_closes_the_flow(world: World) -> None:
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 2, 1)))
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 2, 2, lawful="False")))
    assert passing(world) == [("/new", "no basis")]


def test_a_second_edit_before_the_verdict_changes_nothing(world: World) -> None:
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 2, 1)))
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/newer", 3, 1)))
    assert passing(world) == [("/old", "")]


def test_an_unlawful_flow_stays_closed_while_its_edit_is_judged() -> None:
    world = World()
    world.take(DATA_FLOW, WatchEvent("ADDED", declared("/old", 1, 1, lawful="False")))
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 2, 1, lawful="False")))
    assert passing(world) == [("/old", "no basis")]


def test_a_flow_that_was_never_judged_opens_nothing() -> None:
    world = World()
    world.take(DATA_FLOW, WatchEvent("ADDED", declared("/new", 1, 0)))
    assert passing(world) == [("/new", "it has not been evaluated yet as it stands")]


def test_a_flow_that_is_deleted_and_made_anew_is_another_flow(world: World) -> None:
    world.take(DATA_FLOW, WatchEvent("MODIFIED", declared("/new", 1, 0, uid="two")))
    assert passing(world) == [("/new", "it has not been evaluated yet as it stands")]


def test_a_deleted_flow_is_gone_at_once(world: World) -> None:
    world.take(DATA_FLOW, WatchEvent("DELETED", declared("/old", 1, 1)))
    assert passing(world) == []


def test_a_flow_that_cannot_be_read_any_more_is_closed(world: World) -> None:
    world.take(DATA_FLOW, WatchEvent("MODIFIED", {**declared("/old", 2, 1), "spec": {"source": 1}}))
    assert passing(world) == []
