"""The world holds what watches said last, as little of it as needed, and knows who refers to whom."""

import pytest
from tests.support import merchant

from lawflow.controller.references import Referrers, references
from lawflow.controller.world import World
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import DATA_FLOW, DEPLOYMENT, NAMESPACE, POD, REPLICA_SET
from lawflow.model.parse import parse
from lawflow.resolve import Objects
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit


def versioned(obj: Object, version: int, uid: str = "u") -> Object:
    obj["metadata"] |= {"resourceVersion": str(version), "uid": uid}
    return obj


def test_an_event_that_arrives_behind_a_newer_version_is_passed_over() -> None:
    world = World()
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", owner="new"), 10))
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", owner="old"), 9))
    flow = world.flow("shop", "orders-to-psp")
    assert flow
    assert flow.spec.owner == "new"


def test_another_object_of_the_same_name_counts_whatever_its_version() -> None:
    world = World()
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", owner="old"), 10))
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", owner="new"), 9, uid="other"))
    flow = world.flow("shop", "orders-to-psp")
    assert flow
    assert flow.spec.owner == "new"


def test_a_flow_that_does_not_fit_its_schema_is_known_by_its_problems_alone() -> None:
    world = World()
    world.observe(DATA_FLOW, merchant.flow("shop"))
    world.observe(DATA_FLOW, merchant.flow("shop", destination={"role": "nobody"}))
    assert world.flow("shop", "orders-to-psp") is None
    assert world.flows("shop") == []
    assert world.problems(DATA_FLOW, "shop", "orders-to-psp")
    world.observe(DATA_FLOW, merchant.flow("shop"))
    assert not world.problems(DATA_FLOW, "shop", "orders-to-psp")


def test_a_deleted_object_is_gone() -> None:
    world = World()
    world.observe(DATA_FLOW, merchant.flow("shop"))
    world.observe(DATA_FLOW, merchant.flow("shop"), deleted=True)
    assert world.get(DATA_FLOW, "shop", "orders-to-psp") is None
    assert world.flow("shop", "orders-to-psp") is None


def test_what_a_fresh_list_lacks_is_gone() -> None:
    world = World()
    world.observe(DATA_FLOW, merchant.flow("shop", "stays"))
    world.observe(DATA_FLOW, merchant.flow("shop", "goes"))
    (absent,) = world.absent(DATA_FLOW, world.known(DATA_FLOW), [merchant.flow("shop", "stays")])
    assert absent["metadata"]["name"] == "goes"


def test_what_appeared_while_a_list_was_under_way_is_not_gone() -> None:
    world = World()
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", "replaced"), 1))
    before = world.known(DATA_FLOW)
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", "new"), 2, uid="n"))
    world.observe(DATA_FLOW, versioned(merchant.flow("shop", "replaced"), 3, uid="other"))
    assert world.absent(DATA_FLOW, before, []) == []


def test_an_object_that_is_gone_does_not_come_back_by_a_late_answer() -> None:
    world = World()
    world.observe(DATA_FLOW, versioned(merchant.flow("shop"), 1))
    world.observe(DATA_FLOW, versioned(merchant.flow("shop"), 3), deleted=True)
    world.observe(DATA_FLOW, versioned(merchant.flow("shop"), 2))
    assert world.get(DATA_FLOW, "shop", "orders-to-psp") is None
    world.observe(DATA_FLOW, versioned(merchant.flow("shop"), 4, uid="another"))
    assert world.get(DATA_FLOW, "shop", "orders-to-psp")


def owned(kind: str, name: str, owner_kind: str, owner: str) -> Object:
    reference = {"kind": owner_kind, "name": owner, "controller": True}
    return {
        "kind": kind,
        "metadata": {"namespace": "shop", "name": name, "ownerReferences": [reference]},
        "spec": {"serviceAccountName": "orders", "containers": [{"env": "x" * 1000}]},
        "status": {"phase": "Running"},
    }


def test_a_pod_belongs_to_the_workload_at_the_end_of_its_owners() -> None:
    world = World()
    world.observe(DEPLOYMENT, merchant.deployment("shop"))
    world.observe(REPLICA_SET, owned("ReplicaSet", "orders-1", "Deployment", "orders"))
    world.observe(POD, owned("Pod", "orders-1-a", "ReplicaSet", "orders-1"))
    (pod,) = world.live_pods("shop")
    assert world.owner(pod)["metadata"]["name"] == "orders"
    assert [obj["kind"] for obj, _ in world.workloads("shop")] == ["Deployment"]


def test_of_a_pod_only_what_is_asked_about_is_kept() -> None:
    world = World()
    pod = owned("Pod", "a", "ReplicaSet", "gone")
    pod["metadata"]["annotations"] = {labels.INJECTED: "1", "else": "secret"}
    world.observe(POD, pod)
    kept = world.get(POD, "shop", "a")
    assert kept
    assert "containers" not in kept["spec"]
    assert kept["metadata"]["annotations"] == {labels.INJECTED: "1"}


def test_a_pod_that_has_ended_is_not_live() -> None:
    world = World()
    for name, phase in (("done", "Succeeded"), ("runs", "Running")):
        world.observe(POD, owned("Pod", name, "Job", "gone") | {"status": {"phase": phase}})
    assert [pod["metadata"]["name"] for pod in world.live_pods("shop")] == ["runs"]


def test_a_namespace_opts_in_by_its_label() -> None:
    world = World()
    namespace: Object = {"metadata": {"name": "shop", "labels": {labels.INJECT: "enabled"}}}
    world.observe(NAMESPACE, namespace)
    assert world.opted_in("shop")
    assert not world.opted_in("other")


def parsed(flow: Object) -> DataFlow:
    found = parse(flow)
    assert isinstance(found, DataFlow)
    return found


def test_a_flow_refers_to_objects_whether_they_exist_or_not() -> None:
    flow = parsed(merchant.flow("shop", destination=merchant.to_service("finance", "billing")))
    missing = references(flow, Objects())
    present = references(flow, Objects([parse(obj) for obj in merchant.references("shop")]))
    expected = {("DataController", "", "acme"), ("Dataset", "shop", "orders-db"), ("Service", "finance", "billing")}
    assert missing == expected
    assert present == expected


def test_referrers_forget_what_a_flow_refers_to_no_more() -> None:
    referrers = Referrers()
    flow, old, new = ("DataFlow", "shop", "a"), ("Dataset", "shop", "old"), ("Dataset", "shop", "new")
    referrers.remember(flow, {old})
    referrers.remember(flow, {new})
    assert referrers.to(old) == frozenset()
    assert referrers.to(new) == {flow}
    referrers.remember(flow, set())
    assert referrers.to(new) == frozenset()
