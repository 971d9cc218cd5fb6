"""What one stream is sent, by Envoy's description of the incremental protocol."""

from typing import Any

import pytest
from envoy.config.core.v3 import extension_pb2
from envoy.extensions.filters.http.dynamic_modules.v3 import dynamic_modules_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import struct_pb2
from tests.support.sidecars import flow

from lawflow.mesh.resources import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET
from lawflow.mesh.sidecar import Identity, MeshSettings, PodNetwork
from lawflow.model.kinds import DATA_FLOW, ENDPOINT_SLICE
from lawflow.store.protocol import WatchEvent
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.source import Key
from lawflow.xds.stream import Stream
from lawflow.xds.world import World

pytestmark = pytest.mark.unit

ORDERS = Identity("shop", "orders")
NAME = "outbound/shop/billing:8080"


class Server:
    """A world with one flow, and snapshots of it without any delay."""

    def __init__(self) -> None:
        self.world = World()
        self.put(flow("orders", "billing", "/x"))
        self.settings = MeshSettings("example.org")
        self.now = 0.0
        self.refresh()

    def put(self, declared: dict[str, Any], type_: Any = "ADDED") -> None:
        self.world.take(DATA_FLOW, WatchEvent(type_, declared))

    def refresh(self, bundle: str = "roots", version: str = "1") -> None:
        self.snapshots = Snapshots(self.world, self.settings, clock=lambda: self.now)
        self.snapshots._bundle = bundle, version

    def responses(self, stream: Stream) -> list[discovery_pb2.DeltaDiscoveryResponse]:
        return list(stream.respond(self.snapshots))


def request(type_url: str, **fields: Any) -> discovery_pb2.DeltaDiscoveryRequest:
    return discovery_pb2.DeltaDiscoveryRequest(type_url=type_url, **fields)


def names(response: discovery_pb2.DeltaDiscoveryResponse) -> list[str]:
    return [resource.name for resource in response.resources]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def stream() -> Stream:
    return Stream(ORDERS)


def test_a_wildcard_is_answered_with_everything_of_the_type_once(server: Server, stream: Stream) -> None:
    stream.receive(request(CLUSTER))
    (response,) = server.responses(stream)
    assert names(response) == [NAME]
    assert server.responses(stream) == []


def test_a_sidecar_without_flows_is_answered_all_the_same(server: Server) -> None:
    stream = Stream(Identity("shop", "nobody"))
    stream.receive(request(LISTENER))
    (response,) = server.responses(stream)
    assert names(response) == []


def test_what_refers_goes_out_after_what_it_refers_to(server: Server, stream: Stream) -> None:
    stream.receive(request(ROUTE, resource_names_subscribe=[NAME]))
    stream.receive(request(LISTENER))
    stream.receive(request(SECRET, resource_names_subscribe=[NAME]))
    stream.receive(request(ENDPOINT, resource_names_subscribe=[NAME]))
    stream.receive(request(CLUSTER))
    assert [response.type_url for response in server.responses(stream)] == [CLUSTER, ENDPOINT, SECRET, LISTENER, ROUTE]


def test_only_what_changed_is_sent_again(server: Server, stream: Stream) -> None:
    stream.receive(request(CLUSTER))
    stream.receive(request(EXTENSION, resource_names_subscribe=[NAME]))
    stream.receive(request(ROUTE, resource_names_subscribe=[NAME]))
    server.responses(stream)
    server.put(flow("orders", "billing", "/y"))
    server.refresh()
    assert [response.type_url for response in server.responses(stream)] == [EXTENSION]


def test_a_policy_that_is_rejected_closes_every_route_that_relies_on_it(server: Server, stream: Stream) -> None:
    """In mode redirect calls to one certain pod have a route of their own, with the policy of their port."""
    direct = NAME.replace("outbound", "direct")
    stream.network = PodNetwork((4,), redirected=True)
    stream.receive(request(EXTENSION, resource_names_subscribe=[NAME]))
    stream.receive(request(ROUTE, resource_names_subscribe=[NAME, direct]))
    policy, opened = server.responses(stream)
    assert names(opened) == [direct, NAME]
    rejection = request(EXTENSION, response_nonce=policy.nonce)
    rejection.error_detail.message = "the policy cannot be applied"
    stream.receive(rejection)
    (closed,) = server.responses(stream)
    versions = {each.name: each.version for each in closed.resources}
    assert versions == {name: server.snapshots.closed_route(name).version for name in (direct, NAME)}


def test_sidecars_of_both_modes_are_served_side_by_side(server: Server, stream: Stream) -> None:
    redirected = Stream(ORDERS, network=PodNetwork((4, 6), redirected=True))
    for each in (stream, redirected):
        each.receive(request(LISTENER))
    (explicit,), (capturing,) = server.responses(stream), server.responses(redirected)
    assert names(explicit) == [NAME]
    assert names(capturing) == ["outbound", "outbound-2"]


def test_a_policy_that_is_rejected_closes_its_port_until_another_one_comes(server: Server, stream: Stream) -> None:
    stream.receive(request(EXTENSION, resource_names_subscribe=[NAME]))
    stream.receive(request(ROUTE, resource_names_subscribe=[NAME]))
    policy, opened = server.responses(stream)
    rejection = request(EXTENSION, response_nonce=policy.nonce)
    rejection.error_detail.message = "the policy cannot be applied"
    stream.receive(rejection)
    (closed,) = server.responses(stream)
    assert closed.type_url == ROUTE
    assert closed.resources[0].version == server.snapshots.closed_route(NAME).version
    server.put(flow("orders", "billing", "/y"))
    server.refresh()
    policy, reopened = server.responses(stream)
    assert policy.type_url == EXTENSION
    assert reopened.resources[0].version == opened.resources[0].version


def test_a_sidecar_whose_module_reads_other_policies_is_sent_none_and_its_ports_are_closed(server: Server) -> None:
    stream = Stream(ORDERS)
    first = request(ROUTE, resource_names_subscribe=[NAME])
    first.node.metadata["lawflow.module"] = "9.0.0/99"
    stream.receive(first)
    stream.receive(request(EXTENSION, resource_names_subscribe=[NAME]))
    policy, route = server.responses(stream)
    assert list(policy.removed_resources) == [NAME]
    assert route.resources[0].version == server.snapshots.closed_route(NAME).version
    assert "9.0.0/99" in stream.rejected[EXTENSION]


def test_policies_are_renewed_before_they_end(server: Server) -> None:
    def end() -> float:
        (resource,) = server.snapshots.snapshot(Key(ORDERS)).resources[EXTENSION].values()
        config = extension_pb2.TypedExtensionConfig()
        resource.resource.Unpack(config)
        module = dynamic_modules_pb2.DynamicModuleFilter()
        config.typed_config.Unpack(module)
        policy = struct_pb2.Struct()
        module.filter_config.Unpack(policy)
        return float(policy["notAfter"])

    for now in (0.0, 599.0, 600.0, 1234.0):
        server.now = now
        server.refresh()
        assert 3000 < end() - now <= 3600


def test_a_reconnecting_sidecar_is_not_sent_what_it_holds(server: Server, stream: Stream) -> None:
    stream.receive(request(CLUSTER))
    (response,) = server.responses(stream)
    held = {resource.name: resource.version for resource in response.resources}
    again = Stream(ORDERS)
    again.receive(request(CLUSTER, initial_resource_versions=held))
    (response,) = server.responses(again)
    assert names(response) == []


def test_a_reconnecting_sidecar_is_told_what_is_gone(server: Server) -> None:
    stream = Stream(ORDERS)
    stream.receive(request(CLUSTER, initial_resource_versions={"outbound/shop/old:1": "v"}))
    (response,) = server.responses(stream)
    assert list(response.removed_resources) == ["outbound/shop/old:1"]


def test_a_name_that_is_subscribed_again_is_sent_again(server: Server, stream: Stream) -> None:
    for _ in range(2):
        stream.receive(request(ENDPOINT, resource_names_subscribe=[NAME]))
        (response,) = server.responses(stream)
        assert names(response) == [NAME]


def test_a_name_that_does_not_exist_is_said_once(server: Server, stream: Stream) -> None:
    stream.receive(request(ENDPOINT, resource_names_subscribe=["none"]))
    (response,) = server.responses(stream)
    assert list(response.removed_resources) == ["none"]
    assert server.responses(stream) == []


def test_the_route_of_a_deleted_flow_is_emptied_and_not_removed(server: Server, stream: Stream) -> None:
    stream.receive(request(ROUTE, resource_names_subscribe=[NAME]))
    server.responses(stream)
    server.put(flow("orders", "billing", "/x"), "DELETED")
    server.refresh()
    (response,) = server.responses(stream)
    assert names(response) == [NAME]
    assert b"orders-to-billing" not in response.resources[0].resource.value


def test_an_unsubscribed_name_is_not_sent_any_more(server: Server, stream: Stream) -> None:
    stream.receive(request(ROUTE, resource_names_subscribe=[NAME]))
    server.responses(stream)
    stream.receive(request(ROUTE, resource_names_unsubscribe=[NAME]))
    server.put(flow("orders", "billing", "/y"))
    server.refresh()
    assert server.responses(stream) == []


def test_a_rejection_is_kept_until_the_sidecar_takes_a_later_response(server: Server, stream: Stream) -> None:
    stream.receive(request(LISTENER))
    (response,) = server.responses(stream)
    refused = request(LISTENER, response_nonce=response.nonce)
    refused.error_detail.message = "no such field"
    stream.receive(refused)
    assert stream.rejected == {LISTENER: "no such field"}
    assert server.responses(stream) == [], "the same is not sent in a loop"
    stream.receive(request(LISTENER, response_nonce="later"))
    assert stream.rejected == {}


def test_a_bundle_counts_as_acknowledged_only_when_every_secret_with_it_was_taken(
    server: Server, stream: Stream
) -> None:
    stream.receive(request(SECRET, resource_names_subscribe=[NAME]))
    (response,) = server.responses(stream)
    assert stream.bundle_acknowledged(server.snapshots) == ""
    stream.receive(request(SECRET, response_nonce=response.nonce))
    assert stream.bundle_acknowledged(server.snapshots) == "1"
    server.refresh("more roots", "2")
    (response,) = server.responses(stream)
    assert stream.bundle_acknowledged(server.snapshots) == "1"
    stream.receive(request(SECRET, response_nonce=response.nonce))
    assert stream.bundle_acknowledged(server.snapshots) == "2"


def test_a_sidecar_that_holds_the_bundle_from_before_has_acknowledged_it(server: Server, stream: Stream) -> None:
    stream.receive(request(SECRET, resource_names_subscribe=[NAME]))
    (response,) = server.responses(stream)
    held = {resource.name: resource.version for resource in response.resources}
    again = Stream(ORDERS)
    again.receive(request(SECRET, resource_names_subscribe=[NAME], initial_resource_versions=held))
    assert server.responses(again) == []
    assert again.bundle_acknowledged(server.snapshots) == "1"


def test_equal_contents_have_equal_versions_on_every_replica(stream: Stream) -> None:
    def versions() -> dict[str, str]:
        one = Stream(ORDERS)
        one.receive(request(CLUSTER))
        (response,) = Server().responses(one)
        return {resource.name: resource.version for resource in response.resources}

    assert versions() == versions()


def test_endpoints_follow_slices_and_forget_deleted_ones(server: Server) -> None:
    labels = {"kubernetes.io/service-name": "billing"}
    metadata = {"name": "billing-1", "namespace": "shop"}
    obj = {"metadata": {**metadata, "labels": labels}, "endpoints": [{"addresses": ["10.0.0.1"]}]}
    server.world.take(ENDPOINT_SLICE, WatchEvent("ADDED", obj))
    assert server.world.addresses(("shop", "billing")) == ("10.0.0.1",)
    server.world.take(ENDPOINT_SLICE, WatchEvent("DELETED", {"metadata": metadata}))
    assert server.world.addresses(("shop", "billing")) == ()


def test_a_flow_that_cannot_be_read_lets_nothing_through(server: Server) -> None:
    broken = flow("orders", "billing", "/x")
    del broken["spec"]["source"]
    server.put(broken, "MODIFIED")
    assert server.world.passages(ORDERS) == []
