"""With every Lawflow process dead: what is unlawful stays out, and nothing else notices."""

import copy
import json
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.gate import pod, refusal, workload, write_index
from tests.support.gated_shop import CLOSED, LAWFUL, NONE, UNLAWFUL, Shop, open_shop
from tests.support.injected_pods import injected
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

REPLICA_SET_CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"


def of_kind(kind: str, shop: Shop, service_account: str) -> Object:
    """A workload of any kind that makes pods."""
    deployment = shop.workload(service_account)
    template, metadata = deployment["spec"]["template"], deployment["metadata"]
    finite = copy.deepcopy(template)
    finite["spec"]["restartPolicy"] = "Never"
    match kind:
        case "Pod":
            return injected(shop.pod(service_account))
        case "Job":
            return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": {"template": finite}}
        case "CronJob":
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": finite}}}
            return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
        case "ReplicationController":
            spec = {"selector": template["metadata"]["labels"], "template": template}
            return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
        case _:
            return shop.workload(service_account, kind)


KINDS = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController", "Pod"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_of_any_kind_with_an_unlawful_flow_is_refused(shop: Shop, kind: str) -> None:
    message = shop.refusal(of_kind(kind, shop, UNLAWFUL))

    assert "DataFlow unlawful is unlawful: GDPR-28-3-agreement-missing (28(3))" in message
    assert f"kubectl describe dataflow unlawful -n {shop.name}" in message


def test_lawful_workloads_and_those_without_flows_are_admitted_and_their_pods_wait(shop: Shop) -> None:
    for service_account in (LAWFUL, NONE):
        assert shop.refusal(shop.workload(service_account)) == ""

    waiting = eventually(lambda: failures(shop), "pods that could not be created")

    assert all("lawflow-sidecar-present" in message for message in waiting)
    assert shop.cluster.get("pods", "-n", shop.name)["items"] == []


def test_a_workload_comes_before_its_flow_and_its_pods_wait_for_it(shop: Shop) -> None:
    early = shop.workload(NONE, flows="later")

    assert shop.refusal(early) == ""
    assert "DataFlow later is declared, but does not exist" in shop.refusal(declaring(shop, "later"))


def test_a_namespace_can_refuse_workloads_whose_flow_is_missing(shop: Shop) -> None:
    shop.label("lawflow.dev/missing=deny")

    eventually(
        lambda: "DataFlow later is declared" in shop.refusal(shop.workload(NONE, flows="later"), "--dry-run=server"),
        "the label heeded",
    )


def test_edits_that_add_no_flow_pass_though_the_flow_has_become_unlawful(shop: Shop) -> None:
    shop.cluster.create(shop.workload(LAWFUL, replicas=3))
    become_unlawful(shop)

    shop.kubectl("scale", "deployment/lawful-app", "--replicas=1")
    shop.kubectl("label", "deployment/lawful-app", "team=orders")
    shop.kubectl("annotate", "deployment/lawful-app", "note=edited")
    shop.kubectl("set", "image", "deployment/lawful-app", "app=app:2")
    shop.kubectl("patch", "deployment/lawful-app", "--type=merge", "-p", '{"spec":{"replicas":0}}')
    shop.kubectl("patch", "deployment/lawful-app", "--subresource=status", "--type=merge", "-p",
                 '{"status":{"observedGeneration":7}}')  # fmt: skip
    assert shop.refusal(shop.workload(LAWFUL, kind="StatefulSet")) != ""


def test_an_edit_that_adds_an_unlawful_flow_or_another_account_is_refused(shop: Shop) -> None:
    shop.cluster.create(shop.workload(LAWFUL))

    declares = patch({"metadata": {"annotations": {"lawflow.dev/flows": UNLAWFUL}}})
    moves = patch({"spec": {"serviceAccountName": UNLAWFUL}})

    for change in (declares, moves):
        done = shop.cluster.kubectl("patch", "deployment/lawful-app", "-n", shop.name, "-p", change, check=False)
        assert "DataFlow unlawful is unlawful" in done.stderr


def test_a_rollback_that_adds_no_flow_passes(shop: Shop) -> None:
    first = shop.workload(LAWFUL)
    shop.cluster.create(first)
    eventually(lambda: shop.cluster.get("replicasets", "-n", shop.name)["items"], "the first revision")
    shop.kubectl("set", "image", "deployment/lawful-app", "app=app:2")
    eventually(lambda: len(shop.cluster.get("replicasets", "-n", shop.name)["items"]) == 2, "the second revision")
    become_unlawful(shop)

    shop.kubectl("rollout", "undo", "deployment/lawful-app")

    stored = shop.cluster.get("deployment/lawful-app", "-n", shop.name)
    assert stored["spec"]["template"]["spec"]["containers"][0]["image"] == "app"


def test_foreground_deletion_and_finalizers_are_never_held_up(shop: Shop) -> None:
    held = shop.workload(LAWFUL)
    held["metadata"]["finalizers"] = ["example.test/hold"]
    shop.cluster.create(held)
    become_unlawful(shop)

    shop.kubectl("delete", "deployment/lawful-app", "--cascade=foreground", "--wait=false")
    shop.kubectl("patch", "deployment/lawful-app", "--type=merge", "-p", '{"metadata":{"finalizers":[]}}')

    eventually(lambda: shop.cluster.find("deployment/lawful-app", "-n", shop.name) is None, "the deployment gone")
    eventually(lambda: not shop.cluster.get("replicasets", "-n", shop.name)["items"], "its replica sets gone")


def test_what_a_controller_recreates_for_a_flow_that_was_lawful_is_admitted(shop: Shop) -> None:
    recreated = shop.workload(CLOSED, kind="ReplicaSet")
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "closed-app", "uid": "1", "controller": True}
    recreated["metadata"]["ownerReferences"] = [owner]

    assert "DataFlow closed is unlawful" in shop.refusal(shop.workload(CLOSED))
    assert shop.refusal(recreated, "--dry-run=server") == ""


@pytest.mark.parametrize("enforce", ["warn", "audit"])
def test_a_namespace_may_be_warned_or_audited_instead(gate: Cluster, enforce: str) -> None:
    shop = open_shop(gate, **{"lawflow.dev/enforce": enforce})

    done = gate.kubectl("create", "--filename=-", input=shop.workload(UNLAWFUL))

    assert ("DataFlow unlawful is unlawful" in done.stderr) == (enforce == "warn")
    assert eventually(lambda: gate.get("pods", "-n", shop.name)["items"], "pods in spite of it")
    shop.close()


def test_break_glass_takes_the_verb_bypass(shop: Shop) -> None:
    annotations = {"lawflow.dev/break-glass": "payments are down"}
    emergency = shop.workload(UNLAWFUL, annotations=annotations)
    developer, on_call = (shop.cluster.user(f"{role}-{shop.name}") for role in ("developer", "on-call"))
    for user in (developer, on_call):
        shop.cluster.allow(user, ["create", "get"], "deployments.apps", namespace=shop.name)
    shop.cluster.allow(on_call, ["bypass"], "dataflows.lawflow.dev", namespace=shop.name)

    assert "takes the verb bypass" in shop.refusal(shop.workload(LAWFUL, annotations=annotations), user=developer)
    assert shop.refusal(emergency, user=developer) != ""
    assert "is unlawful" in shop.refusal(shop.workload(UNLAWFUL), user=on_call)
    forged = {**annotations, "lawflow.dev/break-glass-user": "somebody else"}
    assert "may name nobody else" in shop.refusal(shop.workload(UNLAWFUL, annotations=forged), user=on_call)
    assert shop.refusal(emergency, user=on_call) == ""


def test_a_grant_covers_what_the_clusters_controllers_make_of_the_workload_until_it_expires(shop: Shop) -> None:
    controller = shop.cluster.user(REPLICA_SET_CONTROLLER, "system:masters")
    made = shop.workload(UNLAWFUL, kind="ReplicaSet")
    made["metadata"] |= {"name": "unlawful-app-5d9f", "ownerReferences": [owner_of("Deployment", "unlawful-app")]}
    its_pod = injected(shop.pod(UNLAWFUL, ownerReferences=[owner_of("ReplicaSet", "unlawful-app-5d9f")]))

    grant = {"reason": "payments are down", "user": "on-call", "expires": "2999-01-01T00:00:00Z"}
    shop.write_index(shop.workload(UNLAWFUL), refused=False, grants={"Deployment/unlawful-app": grant})

    assert shop.refusal(made, "--dry-run=server", user=controller) == ""
    assert shop.refusal(its_pod, "--dry-run=server", user=controller) == ""
    assert "is unlawful" in shop.refusal(its_pod, "--dry-run=server")
    past = {**grant, "expires": "2020-01-01T00:00:00Z"}
    shop.write_index(shop.workload(UNLAWFUL), refused=True, grants={"Deployment/unlawful-app": past})


def test_other_namespaces_live_as_if_lawflow_did_not_exist(gate: Cluster, elsewhere: str) -> None:
    assert refusal(gate, workload("app", elsewhere)) == ""
    assert eventually(lambda: gate.get("pods", "-n", elsewhere)["items"], "its pod")
    assert refusal(gate, pod("app", "kube-system", "default"), "--dry-run=server") == ""


def test_a_pod_that_declares_flows_where_nothing_enforces_them_is_refused(gate: Cluster, elsewhere: str) -> None:
    declaring = pod("app", elsewhere, annotations={"lawflow.dev/flows": "orders-to-psp"})

    message = refusal(gate, declaring)

    assert "DataFlow orders-to-psp is declared" in message
    assert "label it lawflow.dev/inject=enabled" in message
    assert refusal(gate, workload("app", elsewhere, flows="orders-to-psp"), "--dry-run=server") == ""


def test_a_namespace_with_flows_that_has_not_opted_in_is_left_alone(gate: Cluster, elsewhere: str) -> None:
    unlawful = {"unlawful": {"serviceAccount": "orders"}}
    write_index(gate, elsewhere, serviceAccounts={"orders": ["unlawful"]}, unlawful=unlawful)
    declaring = pod("app", elsewhere, annotations={"lawflow.dev/flows": "unlawful"})

    assert refusal(gate, workload("app", elsewhere)) == ""
    assert eventually(lambda: gate.get("pods", "-n", elsewhere)["items"], "its pod")
    assert "has not opted in" in refusal(gate, declaring)


def test_an_index_that_is_gone_refuses_rather_than_admits(shop: Shop) -> None:
    shop.kubectl("delete", "flowindex", "lawflow")

    eventually(lambda: shop.refusal(shop.workload(UNLAWFUL), "--dry-run=server"), "the workload refused")


@pytest.mark.parametrize("service_account", [LAWFUL, UNLAWFUL])
def test_dry_run_server_side_apply_and_generated_names_meet_the_same_gate(shop: Shop, service_account: str) -> None:
    refused = service_account == UNLAWFUL
    generated = shop.workload(service_account, kind="ReplicaSet")
    del generated["metadata"]["name"]
    generated["metadata"]["generateName"] = "app-"
    apply = ("apply", "--server-side", "--filename=-")

    assert bool(shop.refusal(generated)) == refused
    assert bool(shop.refusal(shop.workload(service_account), "--dry-run=server")) == refused
    done = shop.cluster.kubectl(*apply, input=shop.workload(service_account), check=False)
    assert ("is unlawful" in done.stderr) == refused


def test_a_full_index_stays_within_the_cost_that_cel_may_have(shop: Shop) -> None:
    names = [f"flow-{number:03}" for number in range(500)]
    lawful = "".join(f",{name}/{UNLAWFUL}" for name in names) + ","
    shop.write_index(shop.workload(UNLAWFUL), refused=False, lawful=lawful, unlawful={}, serviceAccounts={})

    assert shop.refusal(shop.workload(UNLAWFUL)) == ""
    declares = patch({"metadata": {"annotations": {"lawflow.dev/flows": ",".join(names)}}})
    shop.kubectl("patch", "deployment/unlawful-app", "-p", declares)


def test_an_index_full_of_unlawful_flows_refuses_within_the_cost_that_cel_may_have(shop: Shop) -> None:
    names = [f"flow-{number:03}" for number in range(500)]
    unlawful = {name: {"serviceAccount": LAWFUL, "reason": "r" * 512} for name in names}
    shop.write_index(shop.workload(LAWFUL), refused=True, unlawful=unlawful, serviceAccounts={LAWFUL: names})

    assert "DataFlow flow-000 is unlawful" in shop.refusal(shop.workload(LAWFUL))
    assert "(and 499 more flows)" in shop.refusal(shop.workload(NONE, flows=",".join(names)))


def test_an_index_that_does_not_hold_all_accounts_admits_none_that_it_does_not_name(shop: Shop) -> None:
    shop.write_index(shop.workload(NONE), refused=True, complete=False)

    assert "has more flows than its index holds" in shop.refusal(shop.workload(NONE))
    assert "DataFlow unlawful is unlawful" in shop.refusal(shop.workload(UNLAWFUL))


def test_every_policy_is_free_of_type_errors(gate: Cluster) -> None:
    names = [one["metadata"]["name"] for one in gate.get("validatingadmissionpolicies")["items"]]
    ours = [name for name in names if name.startswith("lawflow-")]

    for name in ours:
        eventually(
            lambda name=name: gate.get("validatingadmissionpolicy", name).get("status"),  # type: ignore[misc]
            f"{name} type-checked",
        )
        status = gate.get("validatingadmissionpolicy", name)["status"]
        assert not status.get("typeChecking", {}).get("expressionWarnings")
    assert len(ours) == 10


def failures(shop: Shop) -> list[str]:
    """Why pods could not be created, once that is known of two workloads."""
    events = shop.cluster.get("events", "-n", shop.name)["items"]
    found = {event["involvedObject"]["name"]: event["message"] for event in events if event["reason"] == "FailedCreate"}
    return list(found.values()) if len(found) == 2 else []


def become_unlawful(shop: Shop) -> None:
    """The flow that was lawful is so no more, and not even ever was as far as anybody knows."""
    unlawful = shop.index["unlawful"] | {LAWFUL: {"serviceAccount": LAWFUL, "reason": "an agreement has expired"}}
    accounts = shop.index["serviceAccounts"] | {LAWFUL: [LAWFUL]}
    probe = shop.workload(LAWFUL, kind="StatefulSet")
    shop.write_index(probe, refused=True, lawful="", unlawful=unlawful, serviceAccounts=accounts)


def declaring(shop: Shop, flow: str) -> Object:
    return injected(shop.pod(NONE, annotations={"lawflow.dev/flows": flow}))


def owner_of(kind: str, name: str) -> Object:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "1", "controller": True}


def patch(template: Object) -> str:
    return json.dumps({"spec": {"template": template}})
