"""The verdict on what manifests declare: findings of the law on flows, and of the house on workloads."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lawflow import law
from lawflow.cli.declared import Declared, Workload
from lawflow.law.context import Context
from lawflow.manifest import LocatedObject
from lawflow.model.dataflow import DataFlow
from lawflow.model.labels import ACCEPT_FLOWS_FROM, FLOWS
from lawflow.model.status import Finding, Severity
from lawflow.resolve import flows_of, resolve_flow

UNLAWFUL_FLOW = "HOUSE-workload-unlawful-flow"
NOT_ACCEPTED = "HOUSE-flow-not-accepted"
FLOW_NOT_FOUND = "HOUSE-workload-flow-not-found"

_WEIGHT = {Severity.DENY: 0, Severity.WARN: 1, Severity.INFO: 2}


@dataclass(frozen=True)
class ObjectFinding:
    """A finding with the object that it is about and the place where that was read."""

    finding: Finding
    api_version: str
    kind: str
    namespace: str
    name: str
    file: str
    line: int
    rank: int
    """Place among the findings on its object, as the law orders them."""

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Weightiest first, flows before the workloads that suffer from them; the order of the input never matters."""
        return (_WEIGHT[self.finding.severity], self.kind != "DataFlow", self.kind, self.namespace, self.name,
                self.rank, self.finding.path, self.file, self.line)  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """All findings, in a stable order, and how many objects were read."""

    findings: tuple[ObjectFinding, ...]
    objects: int

    def count(self, severity: Severity) -> int:
        """How many findings have a severity."""
        return Counter(found.finding.severity for found in self.findings)[severity]


def judge(declared: Declared, context: Context, today: dt.date) -> Judgement:
    """Judge every flow, and every workload by its flows; ``context`` holds all objects that flows may refer to."""
    verdicts: dict[tuple[str, str], list[Finding]] = {}
    found: list[ObjectFinding] = []
    for flow, located in declared.flows:
        findings = law.evaluate(flow, context, today)
        verdicts[flow.metadata.namespace, flow.metadata.name] = findings
        findings = [*findings, *_not_accepted(flow, context)]
        found += (_located(finding, rank, located) for rank, finding in enumerate(findings))
    flows: dict[str, list[DataFlow]] = defaultdict(list)
    for flow in context.objects.flows():
        flows[flow.metadata.namespace].append(flow)
    by_identity: dict[tuple[str, str], list[Workload]] = defaultdict(list)
    for workload in declared.workloads:
        by_identity[workload.namespace, workload.template.service_account].append(workload)
    for workload in declared.workloads:
        beside = by_identity[workload.namespace, workload.template.service_account]
        told = _workload_findings(workload, beside, flows[workload.namespace], verdicts, context, today)
        found += (_located(finding, rank, workload.located) for rank, finding in enumerate(told))
    return Judgement(tuple(sorted(found, key=lambda finding: finding.sort_key)), declared.count)


def _not_accepted(flow: DataFlow, context: Context) -> Iterable[Finding]:
    """Whether the Service in another namespace refuses the flow; nothing is known of a Service that is not at hand."""
    service = flow.spec.destination.service
    if service is None or NOT_ACCEPTED in context.disabled_rules or resolve_flow(flow, context.objects).accepted:
        return
    if (service.namespace, service.name) in context.objects.services:
        yield Finding(
            rule=NOT_ACCEPTED,
            article="house",
            severity=Severity.WARN,
            path=".spec.destination.service",
            message=f"the Service {service.namespace}/{service.name} does not accept flows from "
            f"{flow.metadata.namespace}; the flow stays closed",
            fix=f"let its owner add the namespace to the Service's annotation {ACCEPT_FLOWS_FROM}",
        )


def _workload_findings(
    workload: Workload,
    beside: Sequence[Workload],
    flows: Sequence[DataFlow],
    verdicts: dict[tuple[str, str], list[Finding]],
    context: Context,
    today: dt.date,
) -> Iterable[Finding]:
    template = workload.template
    identity = f"{template.path}.spec.serviceAccountName"
    declaration = f"{template.path}.metadata.annotations.{FLOWS}"
    own, _ = flows_of(template, workload.namespace, flows)
    for flow in own:
        key = workload.namespace, flow.metadata.name
        if key not in verdicts:
            verdicts[key] = law.evaluate(flow, context, today)
        denials = [finding for finding in verdicts[key] if finding.severity is Severity.DENY]
        if not denials or UNLAWFUL_FLOW in context.disabled_rules:
            continue
        first, others = denials[0], len(denials) - 1
        more = f" (and {others} more)" if others else ""
        article = "a rule of the house" if first.article == "house" else f"Article {first.article}"
        yield Finding(
            rule=UNLAWFUL_FLOW,
            article="house",
            severity=Severity.DENY,
            path=declaration if flow.metadata.name in template.declared_flows else identity,
            message=f"its flow {flow.metadata.name} is unlawful: {first.rule}, {article}, at {first.path}: "
            f"{first.message}{more}",
            fix=f"repair the flow: {first.fix}",
        )
    others_here = [other.located.object for other in beside]
    for finding in law.evaluate_workload(workload.located.object, flows, others_here, context.disabled_rules):
        if finding.rule == FLOW_NOT_FOUND and context.unresolved == "info":
            # The flow may lie where this check does not look.
            message = f"unresolved: {finding.message} here"
            finding = finding.model_copy(update={"severity": Severity.INFO, "message": message})
        yield finding


def _located(finding: Finding, rank: int, located: LocatedObject) -> ObjectFinding:
    obj = located.object
    metadata = obj["metadata"]
    return ObjectFinding(
        finding,
        obj["apiVersion"],
        obj["kind"],
        metadata["namespace"],
        metadata["name"],
        located.file,
        located.line(finding.path),
        rank,
    )
