"""Findings about workloads: whether a receiver can tell them apart, and whether the flows that they declare exist."""

from collections.abc import Iterable
from typing import Any

from lawflow.law.rules import workload as rules
from lawflow.law.workload_facts import WorkloadFacts
from lawflow.model.dataflow import DataFlow
from lawflow.model.status import Finding
from lawflow.model.workload import Object, pod_template
from lawflow.resolve import flows_of


def evaluate_workload(
    workload: Object,
    flows: Iterable[DataFlow],
    workloads: Iterable[Object] = (),
    disabled_rules: frozenset[str] = frozenset(),
) -> list[Finding]:
    """The findings on a workload, given the flows of its namespace and the other workloads there.

    Paths are those of the workload's object. A workload without a pod template has no findings.
    """
    template = pod_template(workload)
    if template is None:
        return []
    namespace = _namespace(workload)
    known = list(flows)
    found, missing = flows_of(template, namespace, known)
    sharing = []
    for other in workloads:
        if other is workload or _namespace(other) != namespace or _name(other) == _name(workload):
            continue
        beside = pod_template(other)
        if beside is not None and beside.service_account == template.service_account:
            sharing.append((_name(other), frozenset(flow.key for flow in flows_of(beside, namespace, known)[0])))
    facts = WorkloadFacts(
        template, tuple(flow.key for flow in found), tuple(missing), tuple(sorted(sharing, key=_first))
    )
    return [
        rule.finding(facts, outcome)
        for rule in rules.RULES
        if rule.id not in disabled_rules and (outcome := rule.check(facts))
    ]


def _namespace(workload: Object) -> str:
    return str((workload.get("metadata") or {}).get("namespace") or "default")


def _name(workload: Object) -> tuple[str, str]:
    metadata = workload.get("metadata") or {}
    return str(workload.get("kind", "")), str(metadata.get("name") or metadata.get("generateName") or "")


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]
