"""Workloads: a receiver must be able to tell them apart, and what they declare must exist."""

from typing import Any

import pytest

from lawflow.law import evaluate_workload
from lawflow.law.example import situation_of, workloads_of
from lawflow.law.rule import Patch

pytestmark = pytest.mark.unit


def _found(patch: Patch) -> list[tuple[str, str]]:
    flow, _ = situation_of(patch)
    workload, others = workloads_of(patch)
    return [(found.rule, found.path) for found in evaluate_workload(workload, [flow], others)]


def test_a_workload_with_an_account_of_its_own_has_no_findings() -> None:
    assert _found({}) == []


def test_the_default_account_without_flows_is_no_matter() -> None:
    bare: Patch = {
        "Deployment.spec.template.spec.serviceAccountName": None,
        "Deployment.spec.template.metadata.annotations": None,
    }
    assert _found(bare) == []


def test_workloads_with_the_same_flows_may_share_an_account() -> None:
    assert _found({"Job.spec.template.spec.serviceAccountName": "orders"}) == []


def test_an_account_in_another_namespace_is_another_account() -> None:
    patch: Patch = {
        "source.serviceAccountName": "psp-client",
        "Job.spec.template.spec.serviceAccountName": "orders",
        "Job.metadata.namespace": "elsewhere",
    }
    assert _found(patch) == []


def test_the_path_is_that_of_the_pod_template_in_its_kind() -> None:
    flow, _ = situation_of({})
    template: dict[str, Any] = {"metadata": {"annotations": {"lawflow.dev/flows": "orders-to-psp"}}, "spec": {}}
    pod = {"kind": "Pod", "metadata": {**template["metadata"], "name": "a", "namespace": "shop"}, "spec": {}}
    cron = {
        "kind": "CronJob",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"jobTemplate": {"spec": {"template": template}}},
    }
    assert [found.path for found in evaluate_workload(pod, [flow])] == [".spec.serviceAccountName"]
    assert [found.path for found in evaluate_workload(cron, [flow])] == [
        ".spec.jobTemplate.spec.template.spec.serviceAccountName"
    ]


def test_what_makes_no_pods_has_no_findings() -> None:
    assert evaluate_workload({"kind": "ConfigMap", "metadata": {"name": "a"}}, []) == []


def test_a_rule_about_workloads_can_be_turned_off() -> None:
    patch = {"Deployment.spec.template.spec.serviceAccountName": None}
    flow, _ = situation_of(patch)
    workload, others = workloads_of(patch)
    off = frozenset({"HOUSE-service-account-default"})
    assert evaluate_workload(workload, [flow], others, off) == []
