"""The status of a flow follows from the facts about it, and changes only where they do."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from tests.support import merchant

from lawflow.controller.conditions import Observation, condition, conditions, transitions
from lawflow.controller.enforcement import WorkloadState
from lawflow.controller.status import flow_status, invalid_status
from lawflow.law.example import FLOW
from lawflow.model.dataflow import DataFlow
from lawflow.model.parse import InvalidObjectError, parse
from lawflow.model.status import Finding, Severity
from lawflow.resolve import Objects, ResolvedFlow, resolve_flow
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
READY = Observation("CredentialsReady", "True", "Fresh")
DENIED = Finding(
    rule="GDPR-28-3", article="28(3)", severity=Severity.DENY,
    path=".spec.destination.agreement", message="no agreement", fix="conclude one",
)  # fmt: skip
IN_FORCE = WorkloadState("Deployment", "orders", "source", pods=2, injected=2)


def resolved(**spec: Any) -> ResolvedFlow:
    inside = {"destination": merchant.to_service(None, "billing")}
    flow = parse(merchant.flow("shop", **(inside | spec)))
    assert isinstance(flow, DataFlow)
    return resolve_flow(flow, Objects())


def status(
    *findings: Finding,
    workloads: tuple[WorkloadState, ...] = (),
    previous: Object | None = None,
    now: dt.datetime = NOW,
    of: ResolvedFlow | None = None,
    credentials: Observation = READY,
    no_way_out: tuple[str, str] = ("", ""),
) -> Object:
    return flow_status(
        of or resolved(), findings, workloads, previous, now, credentials=credentials, no_way_out=no_way_out
    )


def said(found: Object, type_: str) -> tuple[str, str]:
    return condition(found, type_)["status"], condition(found, type_)["reason"]


def test_a_flow_without_findings_is_lawful_and_ready_before_any_workload_exists() -> None:
    found = status()
    assert said(found, "Lawful") == ("True", "Lawful")
    assert said(found, "Enforced") == ("Unknown", "NoWorkload")
    assert said(found, "Ready") == ("True", "Ready")
    assert found["firstLawfulAt"] == "2026-07-01T12:00:00Z"


def test_a_finding_that_denies_makes_the_flow_unlawful_and_stalled_with_all_that_one_needs_to_act() -> None:
    found = status(DENIED)
    assert said(found, "Lawful") == ("False", "Unlawful")
    assert said(found, "Stalled") == ("True", "Unlawful")
    assert said(found, "Ready") == ("False", "Unlawful")
    message = condition(found, "Lawful")["message"]
    for part in (DENIED.rule, "Article 28(3)", DENIED.path, DENIED.message, DENIED.fix):
        assert part in message
    assert found["firstLawfulAt"] is None


def test_a_warning_alone_leaves_the_flow_lawful_and_is_told() -> None:
    found = status(DENIED.model_copy(update={"severity": Severity.WARN}))
    assert said(found, "Lawful") == ("True", "Lawful")
    assert [finding["severity"] for finding in found["findings"]] == ["warn"]


def test_a_flow_that_ceases_to_be_lawful_keeps_the_day_on_which_it_was_first() -> None:
    found = status(DENIED, previous=status(), now=LATER)
    assert found["firstLawfulAt"] == "2026-07-01T12:00:00Z"


def test_a_condition_keeps_its_time_for_as_long_as_its_status_stays() -> None:
    before = status(DENIED)
    after = status(previous=before, now=LATER)
    assert condition(after, "Lawful")["lastTransitionTime"] == "2026-07-01T13:00:00Z"
    assert condition(after, "Enforced")["lastTransitionTime"] == "2026-07-01T12:00:00Z"
    assert {each["type"] for each in transitions(before, after)} == {"Lawful", "Ready"}


def test_equal_facts_give_equal_status_at_any_time() -> None:
    before = status(DENIED, workloads=(IN_FORCE,))
    assert status(DENIED, workloads=(IN_FORCE,), previous=before, now=LATER) == before


def test_pods_that_all_have_the_sidecar_put_the_flow_in_force() -> None:
    assert said(status(workloads=(IN_FORCE,)), "Enforced") == ("True", "InForce")


def test_an_unlawful_flow_is_closed_where_sidecars_are() -> None:
    assert said(status(DENIED, workloads=(IN_FORCE,)), "Enforced") == ("True", "Closed")


@pytest.mark.parametrize(("opted_in", "reason"), [(True, "RestartRequired"), (False, "NoEnforcer")])
def test_one_pod_without_the_sidecar_is_enough_for_the_truth(opted_in: bool, reason: str) -> None:
    half = WorkloadState("Deployment", "billing", "destination", pods=2, injected=1, opted_in=opted_in)
    found = status(workloads=(IN_FORCE, half))
    assert said(found, "Enforced") == ("False", reason)
    assert said(found, "Ready") == ("False", reason)
    assert "1 of 2 pods of Deployment billing" in condition(found, "Enforced")["message"]
    assert [(each["enforced"], each["reason"]) for each in found["workloads"]] == [(True, ""), (False, reason)]


def test_a_sidecar_that_rejects_its_configuration_is_told_with_envoys_reason() -> None:
    half = replace(IN_FORCE, rejecting=1, rejection="no such cluster")
    found = status(workloads=(half,))
    assert said(found, "Enforced") == ("False", "PolicyRejected")
    assert said(found, "Ready") == ("False", "PolicyRejected")
    message = condition(found, "Enforced")["message"]
    assert "1 of 2 pods of Deployment orders" in message
    assert "no such cluster" in message


def test_pods_that_are_older_than_the_flow_must_be_made_anew_to_reach_its_destination() -> None:
    found = status(workloads=(replace(IN_FORCE, unaware=2),))
    assert said(found, "Enforced") == ("False", "RestartRequired")
    assert "2 of 2 pods of Deployment orders were made before this flow" in condition(found, "Enforced")["message"]


def test_a_flow_that_the_other_side_does_not_accept_stalls_until_it_does() -> None:
    found = status(of=resolved(destination=merchant.to_service("finance", "billing")))
    assert said(found, "Enforced") == ("False", "NotAccepted")
    assert said(found, "Stalled") == ("True", "NotAccepted")
    assert "accept-flows-from: shop" in condition(found, "Enforced")["message"]


OUTSIDE = {"destination": FLOW["destination"]}
NO_EGRESS = (
    "NoEgress",
    "no egress gateway lawflow-system/lawflow-egress runs; install the chart with egress.enabled=true",
)


@pytest.mark.parametrize("workloads", [(), (IN_FORCE,)])
def test_a_lawful_flow_to_an_external_host_is_not_in_force_and_not_ready(
    workloads: tuple[WorkloadState, ...],
) -> None:
    found = status(workloads=workloads, of=resolved(**OUTSIDE), no_way_out=NO_EGRESS)
    assert said(found, "Lawful") == ("True", "Lawful")
    assert said(found, "Enforced") == ("False", "NoEgress")
    assert said(found, "Ready") == ("False", "NoEgress")
    assert said(found, "Stalled") == ("True", "NoEgress")
    assert "api.psp.example" in condition(found, "Enforced")["message"]


def test_a_host_outside_is_reached_where_there_is_a_way_out() -> None:
    found = status(workloads=(IN_FORCE,), of=resolved(**OUTSIDE))
    assert said(found, "Enforced") == ("True", "InForce")


def test_a_pod_without_the_sidecar_is_told_before_the_missing_path_outside() -> None:
    bare = WorkloadState("Deployment", "orders", "source", pods=2, injected=1)
    found = status(workloads=(bare,), of=resolved(**OUTSIDE), no_way_out=NO_EGRESS)
    assert said(found, "Enforced") == ("False", "RestartRequired")


def test_an_unlawful_flow_to_an_external_host_is_closed_where_sidecars_are() -> None:
    found = status(DENIED, workloads=(IN_FORCE,), of=resolved(**OUTSIDE), no_way_out=NO_EGRESS)
    assert said(found, "Enforced") == ("True", "Closed")


def test_a_certificate_in_trouble_makes_a_lawful_flow_unready() -> None:
    trouble = Observation("CredentialsReady", "False", "Expired", "renew it")
    assert said(status(credentials=trouble), "Ready") == ("False", "Expired")


def test_a_flow_without_a_place_in_the_index_is_not_ready_and_says_so() -> None:
    found = flow_status(resolved(), (), (), None, NOW, credentials=READY, indexed=False)
    assert said(found, "Enforced") == ("False", "IndexFull")
    assert said(found, "Ready") == ("False", "IndexFull")
    assert said(found, "Stalled") == ("True", "IndexFull")


def test_a_port_that_a_network_policy_alone_closes_is_told_of() -> None:
    found = status(workloads=(replace(IN_FORCE, exposed=2),))
    assert said(found, "Enforced") == ("True", "DirectPortOpen")
    assert said(found, "Ready") == ("True", "Ready")
    assert said(status(DENIED, workloads=(replace(IN_FORCE, exposed=2),)), "Enforced") == ("True", "Closed")


def test_findings_and_workloads_are_bounded() -> None:
    found = status(*[DENIED] * 150, workloads=(IN_FORCE,) * 150)
    assert len(found["findings"]) == 100
    assert len(found["workloads"]) == 100


def test_an_object_that_does_not_fit_its_schema_says_where_and_what_to_do() -> None:
    with pytest.raises(InvalidObjectError) as caught:
        parse(merchant.flow("shop", retention={"periode": "P1Y"}))
    found = invalid_status(caught.value.problems, 3, None, NOW)
    assert said(found, "Lawful") == ("False", "Invalid")
    assert found["findings"][0]["path"] == ".spec.retention.periode"
    assert found["findings"][0]["fix"] == "did you mean period?"
    assert found["observedGeneration"] == 3


def test_a_message_is_cut_to_what_fits_a_terminal() -> None:
    (found,) = conditions([Observation("Ready", "False", "Long", "x" * 5000)], (), 1, NOW)
    assert len(found["message"]) == 1024
