"""The controller against a real API server: verdicts, the gate's index, and what it does when things come and go."""

import datetime as dt
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.controlling import Clock, events_about, flow_is, index_of, lawful_flow, running, until, until_idle

from lawflow.controller import namespace as namespace_kind
from lawflow.controller.conditions import condition
from lawflow.controller.engine import Controller
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.inject.settings import InjectionSettings, SidecarRelease
from lawflow.model import labels
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import (
    DATA_CONTROLLER,
    DATA_FLOW,
    DATASET,
    DEPLOYMENT,
    FLOW_INDEX,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    REPLICA_SET,
    SERVICE,
)  # fmt: skip
from lawflow.store.protocol import Object, Store

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

FLOW = "orders-to-psp"


async def lawful_flow_inside(store: Store, namespace: str, acme: str) -> None:
    await lawful_flow(store, namespace, acme, destination=merchant.to_service(None, "billing"))


@pytest.mark.usefixtures("controller")
async def test_a_lawful_flow_is_ready_once_its_certificate_is(store: Store, namespace: str, acme: str) -> None:
    await lawful_flow_inside(store, namespace, acme)
    status = await flow_is(store, namespace, FLOW, "Ready", "True")
    assert condition(status, "Lawful")["status"] == "True"
    assert condition(status, "CredentialsReady")["reason"] == "Delivered"
    assert condition(status, "Enforced")["reason"] == "NoWorkload"
    assert condition(status, "Enforced")["status"] == "Unknown"
    assert condition(status, "Stalled") == {}
    assert status["basis"] == "A6-1-b"
    assert status["peers"] == "orders → billing"
    assert status["firstLawfulAt"] == "2026-07-01T12:00:00Z"
    told = await events_about(store, namespace, FLOW, "Lawful")
    assert [event["type"] for event in told] == ["Normal"]


@pytest.mark.usefixtures("controller")
async def test_an_unlawful_flow_says_why_and_is_never_lawful_in_the_index(
    store: Store, namespace: str, acme: str
) -> None:
    await store.create(DATA_CONTROLLER, merchant.data_controller(acme))
    await store.create(DATASET, merchant.dataset(namespace, acme))
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme, purposes=[]))
    status = await flow_is(store, namespace, FLOW, "Lawful", "False", "Unlawful")
    weightiest = status["findings"][0]
    assert weightiest["severity"] == "deny"
    assert weightiest["rule"] in condition(status, "Lawful")["message"]
    assert condition(status, "Stalled")["status"] == "True"
    assert condition(status, "Ready")["status"] == "False"
    assert "firstLawfulAt" not in status
    index = await index_of(store, namespace, lambda spec: FLOW in spec["unlawful"])
    assert index["lawful"] == ""
    assert index["unlawful"][FLOW]["everLawful"] is False
    assert weightiest["rule"] in index["unlawful"][FLOW]["reason"]
    assert index["serviceAccounts"] == {"orders": [FLOW]}
    assert [event["type"] for event in await events_about(store, namespace, FLOW, "LawfulUnlawful")] == ["Warning"]


@pytest.mark.usefixtures("controller")
async def test_a_flow_becomes_lawful_when_the_object_it_refers_to_appears(
    store: Store, namespace: str, acme: str
) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme))
    await flow_is(store, namespace, FLOW, "Lawful", "False")
    await store.create(DATA_CONTROLLER, merchant.data_controller(acme))
    await flow_is(store, namespace, FLOW, "Lawful", "False")
    await store.create(DATASET, merchant.dataset(namespace, acme))
    await flow_is(store, namespace, FLOW, "Lawful", "True")
    await store.delete(DATA_CONTROLLER, "", acme)
    status = await flow_is(store, namespace, FLOW, "Lawful", "False")
    assert status["firstLawfulAt"]
    index = await index_of(store, namespace, lambda spec: FLOW in spec["unlawful"])
    assert index["unlawful"][FLOW]["everLawful"] is True


@pytest.mark.usefixtures("controller")
async def test_a_flow_ceases_to_be_lawful_on_the_day_after_its_agreement_ends(
    store: Store, namespace: str, acme: str, clock: Clock
) -> None:
    await lawful_flow(store, namespace, acme)
    status = await flow_is(store, namespace, FLOW, "Lawful", "True")
    assert status["nextReview"] <= "2027-02-01"
    clock.now = dt.datetime(2027, 2, 1, 0, 0, 1, tzinfo=dt.UTC)
    status = await flow_is(store, namespace, FLOW, "Lawful", "False")
    assert status["findings"][0]["path"].startswith(".spec.destination.agreement")


async def test_nothing_is_written_when_nothing_has_changed(
    store: Store, settings: Settings, clock: Clock, namespace: str, acme: str
) -> None:
    async def versions() -> list[str]:
        found = [await store.get(DATA_FLOW, namespace, FLOW), await store.get(FLOW_INDEX, namespace, INDEX_NAME)]
        found += [await store.get(NAMESPACE, "", namespace)]
        return [obj["metadata"]["resourceVersion"] for obj in found if obj]

    async with running(store, settings, clock) as controller:
        await lawful_flow_inside(store, namespace, acme)
        await flow_is(store, namespace, FLOW, "Ready", "True")
        await index_of(store, namespace, lambda spec: f",{FLOW}/" in spec["lawful"])
        await until_idle(controller.queue)
        before = await versions()
    clock.advance(dt.timedelta(minutes=1))
    async with running(store, settings, clock) as controller:
        await until_idle(controller.queue)
        assert await versions() == before
    assert len(before) == 3
    assert len(await events_about(store, namespace, FLOW, "Lawful")) == 1


@pytest.mark.usefixtures("controller")
async def test_a_flow_into_another_namespace_waits_for_that_side_to_accept_it(
    store: Store, namespace: str, other_namespace: str, acme: str
) -> None:
    await store.create(SERVICE, merchant.service(other_namespace, "billing"))
    await lawful_flow(store, namespace, acme)
    crossing = merchant.flow(
        namespace, "to-billing", controller=acme, destination=merchant.to_service(other_namespace, "billing")
    )
    await store.create(DATA_FLOW, crossing)
    status = await flow_is(store, namespace, "to-billing", "Enforced", "False", "NotAccepted")
    assert f"accept-flows-from: {namespace}" in condition(status, "Enforced")["message"]
    patch = {"metadata": {"annotations": {labels.ACCEPT_FLOWS_FROM: namespace}}}
    await store.patch(SERVICE, other_namespace, "billing", patch)
    await flow_is(store, namespace, "to-billing", "Enforced", "Unknown", "NoWorkload")


@pytest.mark.usefixtures("controller")
async def test_the_gate_is_bound_to_a_namespace_only_while_it_has_an_index(
    store: Store, namespace: str, acme: str
) -> None:
    async def label() -> str | None:
        found = await store.get(NAMESPACE, "", namespace)
        assert found
        value: str | None = found["metadata"]["labels"].get(labels.INDEX_READY)
        return value

    await lawful_flow(store, namespace, acme)

    async def bound() -> bool:
        return await label() == "true"

    async def unbound() -> bool:
        return await label() is None and await store.get(FLOW_INDEX, namespace, INDEX_NAME) is None

    await until(bound, "the label is set")
    assert await store.get(FLOW_INDEX, namespace, INDEX_NAME)
    await store.delete(DATA_FLOW, namespace, FLOW)
    await until(unbound, "label and index are gone")


@pytest.mark.usefixtures("controller")
async def test_an_index_that_somebody_changed_or_removed_is_put_right(store: Store, namespace: str, acme: str) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme))
    await index_of(store, namespace, lambda spec: FLOW in spec["unlawful"])
    forged = {"spec": {"lawful": f",{FLOW}/orders,", "unlawful": None, "serviceAccounts": None}}
    await store.patch(FLOW_INDEX, namespace, INDEX_NAME, forged)
    await index_of(store, namespace, lambda spec: spec["lawful"] == "" and FLOW in spec["unlawful"])
    await store.delete(FLOW_INDEX, namespace, INDEX_NAME)
    await index_of(store, namespace, lambda spec: FLOW in spec["unlawful"])


async def test_what_lawflow_writes_into_its_own_namespace_is_written_once(
    store: Store, settings: Settings, clock: Clock, namespace: str
) -> None:
    class Counting:
        writes = 0

        def __getattr__(self, name: str) -> Any:
            self.writes += name in ("apply", "create", "delete", "patch")
            return getattr(store, name)

    counting = Counting()
    injection = InjectionSettings(SidecarRelease("0.1.0", "lawflow/sidecar:0.1.0", "{}"))
    environment = Environment(cast("Store", counting), World(), replace(settings, injection=injection), clock)
    await Controller(environment).resync()
    await namespace_kind.reconcile(environment, "", namespace)
    index = await store.get(FLOW_INDEX, namespace, INDEX_NAME)
    assert index
    assert index["spec"]["sidecar"]["images"] == ["lawflow/sidecar:0.1.0"]
    first = counting.writes
    for _ in range(3):
        await namespace_kind.reconcile(environment, "", namespace)
    assert counting.writes == first


@pytest.mark.usefixtures("controller")
async def test_deleting_a_flow_in_use_is_said_on_the_workload_and_closes_its_path(
    store: Store, namespace: str, acme: str
) -> None:
    await store.create(DEPLOYMENT, merchant.deployment(namespace, replicas=0))
    await lawful_flow(store, namespace, acme)
    await store.create(DATA_FLOW, merchant.flow(namespace, "stays", controller=acme))
    await index_of(store, namespace, lambda spec: spec["lawful"] == f",{FLOW}/orders,stays/orders,")
    await store.delete(DATA_FLOW, namespace, FLOW)
    await index_of(store, namespace, lambda spec: spec["lawful"] == ",stays/orders,")
    (event,) = await events_about(store, namespace, "orders", "FlowDeleted")
    assert FLOW in event["message"]
    assert event["type"] == "Warning"


@pytest.mark.usefixtures("controller")
async def test_a_workload_without_sidecars_is_told_from_one_that_only_needs_a_restart(
    store: Store, namespace: str, acme: str, service_account: str
) -> None:
    await lawful_flow_inside(store, namespace, acme)
    await store.create(DEPLOYMENT, merchant.deployment(namespace, service_account=service_account))
    status = await flow_is(store, namespace, FLOW, "Enforced", "False", "NoEnforcer")
    assert status["workloads"] == [
        {
            "kind": "Deployment", "name": "orders", "side": "source", "enforced": False, "reason": "NoEnforcer",
            "sidecars": [],
        }
    ]  # fmt: skip
    await store.patch(NAMESPACE, "", namespace, {"metadata": {"labels": {labels.INJECT: "enabled"}}})
    await flow_is(store, namespace, FLOW, "Enforced", "False", "RestartRequired")
    for pod in await store.list(POD, namespace):
        patch = {"metadata": {"annotations": {labels.INJECTED: "0.1.0"}}}
        await store.patch(POD, namespace, pod["metadata"]["name"], patch)
    await flow_is(store, namespace, FLOW, "Enforced", "True", "InForce")


@pytest.mark.usefixtures("controller")
async def test_break_glass_becomes_a_grant_that_runs_out_and_is_not_renewed(
    store: Store, namespace: str, acme: str, clock: Clock
) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme))
    await flow_is(store, namespace, FLOW, "Lawful", "False")
    workload = merchant.deployment(namespace, replicas=0)
    workload["metadata"]["annotations"] = {labels.BREAK_GLASS: "ward 3 is down", labels.BREAK_GLASS_USER: "alice"}
    await store.create(DEPLOYMENT, workload)
    index = await index_of(store, namespace, lambda spec: bool(spec["grants"]))
    grant = {"reason": "ward 3 is down", "user": "alice", "expires": "2026-07-01T16:00:00Z"}
    assert index["grants"] == {"Deployment/orders": grant}
    assert len(await events_about(store, namespace, "orders", "BreakGlass")) == 1

    async def told() -> list[str]:
        flow = await store.get(DATA_FLOW, namespace, FLOW)
        assert flow
        found: list[str] = flow["status"].get("breakGlass", [])
        return found

    assert await until(told, "the grant stands in the flow's status") == [
        "Deployment/orders by alice until 2026-07-01T16:00:00Z: ward 3 is down"
    ]
    clock.advance(dt.timedelta(hours=4))
    index = await index_of(store, namespace, lambda spec: not spec["grants"])
    assert index["expiredGrants"] == {"Deployment/orders": grant}


@pytest.mark.usefixtures("controller")
async def test_pods_that_were_refused_are_tried_again_once_their_flow_is_lawful(
    store: Store, namespace: str, acme: str, control_plane: Cluster
) -> None:
    # Without its service account a ReplicaSet's pods are refused, as the gate would refuse them.
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme))
    await store.create(DEPLOYMENT, merchant.deployment(namespace))

    async def replica_set() -> Object | None:
        found = await store.list(REPLICA_SET, namespace)
        failed = [each for each in found if condition(each.get("status"), "ReplicaFailure").get("status") == "True"]
        return failed[0] if failed else None

    refused = await until(replica_set, "a ReplicaSet whose pods are refused")
    await flow_is(store, namespace, FLOW, "Lawful", "False")
    assert labels.RETRY not in refused["metadata"]["annotations"]
    await store.create(DATA_CONTROLLER, merchant.data_controller(acme))
    await store.create(DATASET, merchant.dataset(namespace, acme))

    async def touched() -> bool:
        found = await store.get(REPLICA_SET, namespace, refused["metadata"]["name"])
        return bool(found and labels.RETRY in found["metadata"]["annotations"])

    await until(touched, "the ReplicaSet is touched")


@pytest.mark.usefixtures("controller")
async def test_the_way_around_a_receivers_sidecar_is_closed_while_a_flow_leads_to_it(
    store: Store, namespace: str, acme: str
) -> None:
    await store.patch(NAMESPACE, "", namespace, {"metadata": {"labels": {labels.INJECT: "enabled"}}})
    await store.create(SERVICE, merchant.service(namespace, "billing"))
    flow = merchant.flow(namespace, "to-billing", controller=acme, destination=merchant.to_service(None, "billing"))
    await store.create(DATA_FLOW, flow)

    async def policy() -> Object | None:
        return await store.get(NETWORK_POLICY, namespace, "lawflow-billing")

    found = await until(policy, "a NetworkPolicy")
    assert found["spec"]["podSelector"] == {"matchLabels": {"app": "billing"}}
    ranges = [(port["port"], port["endPort"]) for port in found["spec"]["ingress"][0]["ports"]]
    assert (1, 8079) in ranges
    assert (8081, 65535) in ranges
    await store.delete(DATA_FLOW, namespace, "to-billing")

    async def gone() -> bool:
        return await policy() is None

    await until(gone, "no NetworkPolicy")


@pytest.mark.usefixtures("controller")
async def test_workloads_that_no_receiver_could_tell_apart_are_told_so(store: Store, namespace: str, acme: str) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme))
    for name in ("orders", "returns"):
        workload = merchant.deployment(namespace, name, replicas=0)
        if name == "returns":
            workload["spec"]["template"]["metadata"]["annotations"] = {labels.FLOWS: "other"}
        await store.create(DEPLOYMENT, workload)
    other = merchant.flow(namespace, "other", controller=acme, source={"serviceAccountName": "elsewhere"})
    await store.create(DATA_FLOW, other)
    for name in ("orders", "returns"):
        told = await events_about(store, namespace, name, "Finding")
        assert all(event["type"] == "Warning" for event in told)
