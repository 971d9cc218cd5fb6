"""What the live pods at both ends of a flow lack, from what they say of themselves."""

import pytest
from tests.support import merchant
from tests.support.pods import pod

from lawflow.controller.enforcement import WorkloadState, workload_states
from lawflow.controller.world import World
from lawflow.inject import IdentityData, Injected, InjectionSettings, SidecarRelease, inject_pod
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import DATA_FLOW, DEPLOYMENT, NAMESPACE, POD
from lawflow.model.loopback import LoopbackDestination, loopback_destinations
from lawflow.model.sidecar import NETWORK_CONTAINER, Interception
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

SETTINGS = InjectionSettings(SidecarRelease("1", "sidecar:1", "{}"))


@pytest.fixture
def world() -> World:
    made = World()
    made.observe(NAMESPACE, {"metadata": {"name": "shop", "labels": {labels.INJECT: "enabled"}}})
    made.observe(DATA_FLOW, merchant.flow("shop", "to-billing", destination=merchant.to_service(None, "billing")))
    made.observe(DEPLOYMENT, merchant.deployment("shop"))
    return made


def flow(world: World) -> DataFlow:
    found = world.flow("shop", "to-billing")
    assert found
    return found


def running(name: str, made: Object) -> Object:
    owner = {"kind": "Deployment", "name": "orders", "controller": True}
    metadata = {**made["metadata"], "namespace": "shop", "name": name, "ownerReferences": [owner]}
    return {**made, "metadata": metadata, "status": {"phase": "Running"}}


def injected(destinations: tuple[LoopbackDestination, ...], mode: Interception = "explicit") -> Object:
    result = inject_pod(pod(), SETTINGS, IdentityData(destinations, mode))
    assert isinstance(result, Injected)
    return result.pod


def source(world: World) -> WorkloadState:
    (state,) = workload_states(world, flow(world))
    return state


def test_a_pod_that_was_injected_for_the_flow_lacks_nothing(world: World) -> None:
    world.observe(POD, running("a", injected(loopback_destinations([flow(world)]))))
    assert source(world) == WorkloadState("Deployment", "orders", "source", pods=1, injected=1)


def test_sidecars_say_their_versions_each_once(world: World) -> None:
    for name, module in {"a": "0.1.0/1", "b": "0.0.9/1", "c": "0.1.0/1", "d": None}.items():
        made = injected(loopback_destinations([flow(world)]))
        made["metadata"]["annotations"] |= {labels.MODULE: module} if module else {}
        world.observe(POD, running(name, made))
    assert source(world).sidecars == ("0.0.9/1", "0.1.0/1")


def test_a_sidecar_of_a_release_that_nobody_knows_asks_for_a_rollout(world: World) -> None:
    world.observe(POD, running("a", injected(loopback_destinations([flow(world)]))))
    (known,) = workload_states(world, flow(world), {"1", "0"})
    (forgotten,) = workload_states(world, flow(world), {"2"})
    assert (known.forgotten, known.reason) == (0, "")
    assert (forgotten.forgotten, forgotten.reason) == (1, "RestartRequired")
    assert "get no new certificate" in forgotten.shortfall[1]


@pytest.mark.parametrize(("mode", "exposed"), [("explicit", 1), ("redirect", 0)])
def test_a_receivers_own_port_stays_open_in_mode_explicit(world: World, mode: Interception, exposed: int) -> None:
    billing = merchant.deployment("shop", service_account="billing")
    billing["metadata"]["name"] = "billing"
    world.observe(DEPLOYMENT, billing)
    made = running("b", injected((), mode))
    made["metadata"]["ownerReferences"][0]["name"] = "billing"
    world.observe(POD, made)
    states = {state.name: state for state in workload_states(world, flow(world))}
    assert (states["orders"].exposed, states["billing"].exposed) == (0, exposed)


def test_a_pod_that_was_injected_before_the_flow_is_unaware_of_its_destination(world: World) -> None:
    world.observe(POD, running("old", injected(())))
    world.observe(POD, running("new", injected(loopback_destinations([flow(world)]))))
    assert (source(world).pods, source(world).unaware) == (2, 1)
    assert source(world).reason == "RestartRequired"


def test_a_pod_whose_traffic_is_redirected_needs_no_restart_for_a_new_flow(world: World) -> None:
    world.observe(POD, running("a", injected((), "redirect")))
    assert source(world).reason == ""


def test_a_pod_whose_network_lacks_its_rules_keeps_the_flow_from_being_in_force(world: World) -> None:
    failed = {"name": NETWORK_CONTAINER, "state": {"terminated": {"exitCode": 1, "message": "none"}}}
    made = running("a", injected((), "redirect"))
    world.observe(POD, {**made, "status": {"phase": "Pending", "initContainerStatuses": [failed]}})
    world.observe(POD, running("b", injected((), "redirect")))
    reason, message = source(world).shortfall
    assert reason == "NetworkRulesMissing"
    assert message.startswith("the network of 1 of 2 pods of Deployment orders lacks the rules")


def test_a_pod_without_sidecar_counts_as_such_alone(world: World) -> None:
    world.observe(POD, running("a", pod()))
    assert (source(world).injected, source(world).unaware, source(world).reason) == (0, 0, "RestartRequired")


def test_what_envoy_rejects_is_read_from_the_pod(world: World) -> None:
    made = injected(loopback_destinations([flow(world)]))
    made["metadata"]["annotations"][labels.POLICY_REJECTED] = "no such cluster"
    world.observe(POD, running("a", made))
    assert (source(world).reason, source(world).rejection) == ("PolicyRejected", "no such cluster")


def test_a_workload_that_only_names_the_flow_does_not_carry_it(world: World) -> None:
    other = merchant.deployment("shop", service_account="other")
    other["metadata"]["name"] = "other"
    other["spec"]["template"]["metadata"].setdefault("annotations", {})[labels.FLOWS] = "to-billing"
    world.observe(DEPLOYMENT, other)
    made = running("b", injected(()))
    made["metadata"]["ownerReferences"][0]["name"] = "other"
    world.observe(POD, made)
    states = {state.name: state for state in workload_states(world, flow(world))}
    assert states["other"].reason == ""


def test_a_static_pod_that_declares_the_flow_is_told_apart_since_nobody_could_refuse_it(world: World) -> None:
    made = pod(serviceAccountName="")
    node = {"kind": "Node", "name": "node-1", "controller": True}
    annotations = {labels.MIRROR: "abc", labels.FLOWS: "to-billing"}
    metadata = {"namespace": "shop", "name": "web-node-1", "ownerReferences": [node], "annotations": annotations}
    world.observe(POD, {**made, "metadata": metadata, "status": {"phase": "Running"}, "kind": "Pod"})
    states = {state.name: state for state in workload_states(world, flow(world))}
    assert states["web-node-1"].reason == "StaticPod"
    assert "run it as a DaemonSet" in states["web-node-1"].shortfall[1]
