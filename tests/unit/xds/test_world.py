"""What the mesh is told of a flow that changes."""

from typing import Any

import pytest
from tests.support.sidecars import flow

from lawflow.mesh.sidecar import Identity, Whereabouts
from lawflow.model.kinds import DATA_FLOW, ENDPOINT_SLICE, SERVICE
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


def service(*addresses: str, ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    spec = {"clusterIPs": list(addresses), "ports": ports or [{"name": "web", "port": 80, "targetPort": "http"}]}
    return {"metadata": {"name": "billing", "namespace": "shop"}, "spec": spec}


def pods(name: str, family: str, port: int, **conditions: bool) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": "billing"}}
    endpoints: list[dict[str, Any]] = [
        {"addresses": [address], "conditions": {"ready": ready}} for address, ready in conditions.items()
    ]
    ports = [{"name": "web", "port": port}, {"name": "admin", "port": 1}]
    return {"metadata": metadata, "addressType": family, "endpoints": endpoints, "ports": ports}


def whereabouts(*objects: tuple[Any, dict[str, Any]], port: int = 80) -> Whereabouts:
    world = World()
    for kind, obj in objects:
        world.take(kind, WatchEvent("ADDED", obj))
    return world.whereabouts(("shop", "billing", port))


READY = pods("one", "IPv4", 8080, **{"10.0.0.1": True, "10.0.0.2": False})
READY_V6 = pods("two", "IPv6", 9090, **{"FD00:0::1": True})


def test_a_service_is_at_its_addresses_and_its_ready_pods_at_their_own_ports() -> None:
    found = whereabouts(
        (SERVICE, service("10.96.0.7", "fd00:96::7")), (ENDPOINT_SLICE, READY), (ENDPOINT_SLICE, READY_V6)
    )
    assert found.service == (("10.96.0.7", 80), ("fd00:96::7", 80))
    assert found.pods == (("10.0.0.1", 8080), ("fd00::1", 9090))


def test_the_pods_of_a_headless_service_are_called_at_either_port() -> None:
    found = whereabouts((SERVICE, service("None")), (ENDPOINT_SLICE, READY))
    assert found == Whereabouts((), (("10.0.0.1", 8080), ("10.0.0.1", 80)))


def test_what_does_not_exist_is_nowhere() -> None:
    assert whereabouts() == Whereabouts()
    assert whereabouts((SERVICE, service("10.96.0.7")), port=81) == Whereabouts()
    assert whereabouts((ENDPOINT_SLICE, READY)) == Whereabouts()


def test_a_port_of_another_protocol_and_the_same_number_is_another_port() -> None:
    dns = [{"name": "dns", "port": 80, "protocol": "UDP"}, {"name": "web", "port": 80, "protocol": "TCP"}]
    found = whereabouts((SERVICE, service("10.96.0.7", ports=dns)), (ENDPOINT_SLICE, READY))
    assert found.pods == (("10.0.0.1", 8080),)
