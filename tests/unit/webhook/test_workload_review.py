"""The gate refuses what adds an unlawful flow, and stands in the way of nothing else."""

import copy
from typing import Any

import pytest
from tests.support.flows import flow, index, references, unlawful_flow
from tests.support.gate import pod, workload
from tests.support.reviews import CONTROLLER, NAMESPACE, NOW, known, namespace_object, request

from lawflow.webhook.decision import Decision
from lawflow.webhook.knowledge import Knowledge
from lawflow.webhook.workload import passed_by_break_glass, review_workload

pytestmark = pytest.mark.unit

Object = dict[str, Any]

LAWFUL, UNLAWFUL, CLOSED = "lawful", "unlawful", "closed"
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "orders-5d9f", "uid": "1", "controller": True}


def shop(*more: Object, **labels: str) -> Knowledge:
    """A namespace with a service account for each verdict, whose flow has the same name."""
    closed = unlawful_flow(CLOSED, NAMESPACE, CLOSED)
    closed["status"] = {"firstLawfulAt": "2026-01-01T00:00:00Z"}
    flows = [flow(LAWFUL, NAMESPACE, LAWFUL), unlawful_flow(UNLAWFUL, NAMESPACE, UNLAWFUL), closed]
    return known(namespace_object(inject="enabled", **labels), *references(NAMESPACE), *flows, *more)


def review(request: Object, knowledge: Knowledge | None = None) -> Decision:
    return review_workload(request, (knowledge or shop()).view, NOW)


def app(service_account: str, **more: Any) -> Object:
    return workload("app", NAMESPACE, service_account, **more)


def test_a_workload_with_an_unlawful_flow_is_refused_and_told_why() -> None:
    decision = review(request(app(UNLAWFUL)))

    assert not decision.allowed
    assert "DataFlow unlawful is unlawful" in decision.message
    assert "GDPR-28-3-agreement-missing (Article 28(3))" in decision.message
    assert ".spec.destination.agreement" in decision.message


def test_a_lawful_workload_and_one_without_flows_are_admitted_in_silence() -> None:
    assert review(request(app(LAWFUL))) == Decision()
    assert review(request(app("none"))) == Decision()


def test_a_missing_flow_warns_on_the_workload_and_refuses_its_pods() -> None:
    on_workload = review(request(app("none", flows="later")))
    on_pod = review(request(pod("app", NAMESPACE, "none", annotations={"lawflow.dev/flows": "later"})))

    assert on_workload.allowed
    assert "DataFlow later does not exist" in on_workload.warnings[0]
    assert not on_pod.allowed


def test_a_namespace_may_refuse_workloads_whose_flow_is_missing() -> None:
    assert not review(request(app("none", flows="later")), shop(missing="deny")).allowed


def test_a_flow_that_cannot_be_judged_lets_the_workload_in_and_its_pods_wait() -> None:
    stranger = flow("newer", NAMESPACE, "newer")
    stranger["spec"]["fieldOfALaterVersion"] = True
    knowledge = shop(stranger)

    assert review(request(app("newer")), knowledge).allowed
    decision = review(request(pod("app", NAMESPACE, "newer")), knowledge)
    assert not decision.allowed
    assert "has not been evaluated yet" in decision.message


def test_edits_that_add_no_flow_pass_with_a_warning() -> None:
    old = app(UNLAWFUL, replicas=3)
    scaled, relabelled, rolled_back = app(UNLAWFUL, replicas=0), copy.deepcopy(old), copy.deepcopy(old)
    relabelled["metadata"]["labels"] = {"team": "orders"}
    rolled_back["spec"]["template"]["spec"]["containers"][0]["image"] = "app:1"

    for new in (scaled, relabelled, rolled_back):
        decision = review(request(new, old))
        assert decision.allowed
        assert "DataFlow unlawful is unlawful" in decision.warnings[0]


def test_a_rollback_to_fewer_flows_passes_and_one_to_more_is_judged() -> None:
    fewer, more = app(LAWFUL), app(LAWFUL, flows=UNLAWFUL)

    assert review(request(fewer, more)).allowed
    assert not review(request(more, fewer)).allowed


def test_a_change_of_the_service_account_is_judged_whole() -> None:
    assert not review(request(app(UNLAWFUL), app(LAWFUL))).allowed
    assert not review(request(app(LAWFUL, flows=UNLAWFUL), app("none", flows=UNLAWFUL))).allowed


def test_what_is_being_deleted_is_never_held_up() -> None:
    going = app(UNLAWFUL)
    going["metadata"]["deletionTimestamp"] = "2026-07-01T12:00:00Z"

    assert review(request(going, app(LAWFUL))) == Decision()


@pytest.mark.parametrize("more", [{"subResource": "status"}, {"operation": "DELETE"}, {"operation": "CONNECT"}])
def test_status_deletion_and_connections_are_none_of_the_gates_business(more: Object) -> None:
    assert review(request(app(UNLAWFUL), app(LAWFUL), **more)) == Decision()


def test_pods_that_a_controller_recreates_start_though_their_flow_was_closed() -> None:
    recreated = pod("app", NAMESPACE, CLOSED, ownerReferences=[OWNER])

    decision = review(request(recreated, user=CONTROLLER))

    assert decision.allowed
    assert "DataFlow closed is lawful no more, and closed" in decision.warnings[0]
    assert not review(request(app(CLOSED))).allowed
    assert not review(request(pod("app", NAMESPACE, UNLAWFUL, ownerReferences=[OWNER]), user=CONTROLLER)).allowed


def test_a_namespace_may_be_warned_or_audited_instead() -> None:
    warned, audited = (review(request(app(UNLAWFUL)), shop(enforce=choice)) for choice in ("warn", "audit"))

    assert warned.allowed
    assert "DataFlow unlawful is unlawful" in warned.warnings[0]
    assert audited.allowed
    assert audited.warnings == ()
    assert audited.audit == {"unlawful-flows": "unlawful"}


def test_an_enforcement_that_nobody_knows_counts_as_deny() -> None:
    assert not review(request(app(UNLAWFUL)), shop(enforce="Warn")).allowed


def test_a_namespace_that_has_not_opted_in_is_left_alone_but_its_declared_flows_cannot_hold() -> None:
    elsewhere = known(namespace_object(), unlawful_flow(UNLAWFUL, NAMESPACE, UNLAWFUL))

    assert review(request(app(UNLAWFUL)), elsewhere) == Decision()
    assert review(request(app("none", flows="any")), elsewhere).warnings
    declared = pod("app", NAMESPACE, "none", annotations={"lawflow.dev/flows": "any"})
    assert "lacks the label lawflow.dev/inject=enabled" in review(request(declared), elsewhere).message


def test_a_break_glass_reason_is_handed_on_for_a_question_about_the_user() -> None:
    decision = review(request(app(UNLAWFUL, annotations={"lawflow.dev/break-glass": " payments are down "})))

    assert not decision.allowed
    assert decision.break_glass == "payments are down"
    passed = passed_by_break_glass(decision, "dora")
    assert passed.allowed
    assert passed.warnings[0].startswith("break-glass by dora: payments are down")
    assert passed.audit["break-glass"] == "break-glass by dora: payments are down"


def test_a_grant_covers_the_workload_and_the_pods_that_the_cluster_makes_of_it_until_it_expires() -> None:
    def with_grant(expires: str) -> Knowledge:
        grant = {"reason": "payments are down", "user": "dora", "expires": expires}
        return shop(index(NAMESPACE, grants={"Deployment/orders": grant}))

    granted = workload("orders", NAMESPACE, UNLAWFUL)
    made = pod("orders-5d9f-x", NAMESPACE, UNLAWFUL, ownerReferences=[OWNER])

    assert review(request(granted), with_grant("2026-07-01T13:00:00Z")).allowed
    assert review(request(made, user=CONTROLLER), with_grant("2026-07-01T13:00:00Z")).allowed
    assert not review(request(made), with_grant("2026-07-01T13:00:00Z")).allowed
    assert not review(request(granted), with_grant("2026-07-01T11:00:00Z")).allowed


def test_a_pod_with_a_generated_name_is_named_by_its_stem() -> None:
    decision = review(request(pod("orders-", NAMESPACE, UNLAWFUL)))

    assert decision.message.startswith("Pod shop/orders-… has a data flow that is not lawful.")


def test_a_kind_that_nobody_knows_is_judged_by_its_pod_template() -> None:
    rollout = app(UNLAWFUL) | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}

    assert not review(request(rollout)).allowed
    assert review(request({"kind": "ConfigMap", "metadata": {"name": "a", "namespace": NAMESPACE}})) == Decision()


def test_warnings_are_lines_that_the_api_server_hands_on_whole() -> None:
    for warned in review(request(app(UNLAWFUL, flows="later")), shop(enforce="warn")).warnings:
        assert len(warned) <= 240
        assert warned.isprintable()
