"""The status of a DataFlow, from what was found about it. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lawflow.controller.conditions import Observation, conditions
from lawflow.controller.enforcement import WorkloadState
from lawflow.identity.validity import rfc3339
from lawflow.model.dataflow import DataFlow
from lawflow.model.flow_index import MAXIMUM_FLOWS
from lawflow.model.parse import Problem
from lawflow.model.status import Finding, Severity
from lawflow.resolve import ResolvedFlow
from lawflow.store.protocol import Object

MAXIMUM_FINDINGS = 100
MAXIMUM_WORKLOADS = 100
MAXIMUM_SIDECARS = 8


_INDEX_FULL = Observation(
    "Enforced", "False", "IndexFull",
    f"a namespace holds at most {MAXIMUM_FLOWS} flows, and older ones have all places: the gate refuses the pods of "
    "this one; move flows to another namespace",
)  # fmt: skip
_PAST_THE_SIDECAR = (
    "all pods have the sidecar, which lets the declared peer alone through; in mode explicit the receiver's own port "
    "is closed to who connects past the sidecar only where the cluster's network enforces NetworkPolicies, which "
    "Lawflow writes and cannot see enforced"
)
CREDENTIALS_UNKNOWN = Observation("CredentialsReady", "Unknown", "NotIssuedYet", "no certificate has been issued yet")


def flow_status(
    resolved: ResolvedFlow,
    findings: Sequence[Finding],
    workloads: Sequence[WorkloadState],
    previous: Mapping[str, Any] | None,
    now: dt.datetime,
    *,
    credentials: Observation = CREDENTIALS_UNKNOWN,
    next_review: dt.date | None = None,
    grants: Sequence[str] = (),
    indexed: bool = True,
    no_way_out: tuple[str, str] = ("", ""),
) -> Object:
    """The whole status, so that equal facts give equal status; fields that do not apply are ``None``.

    ``indexed`` says whether the flow has a place in its namespace's index, ``no_way_out`` by reason and message why
    hosts outside are not reached, empty where they are.
    """
    previous = previous or {}
    flow = resolved.flow
    lawful = _lawful(findings)
    enforced = _enforced(resolved, workloads, lawful.status == "True", no_way_out) if indexed else _INDEX_FULL
    observed = [_ready(lawful, credentials, enforced), lawful, credentials, enforced]
    if stalled := _stalled(lawful, enforced):
        observed.append(stalled)
    first_lawful = previous.get("firstLawfulAt") or (rfc3339(now) if lawful.status == "True" else None)
    return {
        "observedGeneration": flow.metadata.generation,
        "conditions": conditions(observed, previous.get("conditions") or (), flow.metadata.generation, now),
        "findings": [_plain(finding) for finding in findings[:MAXIMUM_FINDINGS]],
        "basis": basis(flow),
        "peers": peers(flow),
        "workloads": [_workload(each) for each in workloads[:MAXIMUM_WORKLOADS]],
        "nextReview": next_review.isoformat() if next_review else None,
        "firstLawfulAt": first_lawful,
        "breakGlass": list(grants),
    }


def invalid_status(
    problems: Sequence[Problem], generation: int, previous: Mapping[str, Any] | None, now: dt.datetime
) -> Object:
    """The status of an object that does not fit its schema: the same form, with the problems as findings."""
    findings = problem_findings(problems)
    lawful = _lawful(findings)
    observed = [
        Observation("Ready", "False", "Invalid", lawful.message),
        Observation("Lawful", "False", "Invalid", lawful.message),
        Observation("Stalled", "True", "Invalid", lawful.message),
    ]
    before = (previous or {}).get("conditions") or ()
    return {
        "observedGeneration": generation,
        "conditions": conditions(observed, before, generation, now),
        "findings": [_plain(finding) for finding in findings[:MAXIMUM_FINDINGS]],
    }


def problem_findings(problems: Sequence[Problem]) -> list[Finding]:
    """Schema problems in the form of findings."""
    return [
        Finding(
            rule="HOUSE-schema", article="house", severity=Severity.DENY,
            path=problem.path, message=problem.message, fix=problem.fix,
        )
        for problem in problems
    ]  # fmt: skip


def basis(flow: DataFlow) -> str:
    """The bases of all purposes in short form, each once, e.g. ``A6-1-b,A6-1-f``."""
    found = [
        purpose.lawful_basis.article6.removeprefix("eu-gdpr:")
        for purpose in flow.spec.purposes
        if purpose.lawful_basis and purpose.lawful_basis.article6
    ]
    return ",".join(dict.fromkeys(found))


def peers(flow: DataFlow) -> str:
    """Source and destination in one line, e.g. ``orders → api.psp.example``."""
    destination = flow.spec.destination
    if destination.external:
        target = destination.external.host
    else:
        service = destination.service
        assert service is not None
        namespace = f"{service.namespace}/" if service.namespace not in (None, flow.metadata.namespace) else ""
        target = namespace + service.name
    return f"{flow.spec.source.service_account_name} → {target}"


def sentence(finding: Finding) -> str:
    """A finding in one line: rule, article, path, what is wrong and what to do."""
    article = "" if finding.article == "house" else f" (Article {finding.article})"
    return f"{finding.rule}{article} at {finding.path}: {finding.message}; {finding.fix}"


def _lawful(findings: Sequence[Finding]) -> Observation:
    denying = [finding for finding in findings if finding.severity == Severity.DENY]
    if not denying:
        return Observation("Lawful", "True", "Lawful", "no rule denies this flow")
    more = f" (and {len(denying) - 1} more findings)" if len(denying) > 1 else ""
    return Observation("Lawful", "False", "Unlawful", sentence(denying[0]) + more)


def _enforced(
    resolved: ResolvedFlow, workloads: Sequence[WorkloadState], lawful: bool, no_way_out: tuple[str, str]
) -> Observation:
    if not resolved.accepted:
        service = resolved.flow.spec.destination.service
        assert service is not None
        return Observation(
            "Enforced", "False", "NotAccepted",
            f"the Service {service.namespace}/{service.name} does not accept flows from {resolved.namespace}: its "
            f"owner sets the annotation lawflow.dev/accept-flows-from: {resolved.namespace} on it",
        )  # fmt: skip
    running = [each for each in workloads if each.pods]
    for each in running:
        reason, message = each.shortfall
        if reason:
            return Observation("Enforced", "False", reason, message)
    external = resolved.flow.spec.destination.external
    if lawful and external:
        reason, message = no_way_out
        if reason:
            return Observation("Enforced", "False", reason, f"{external.host} is not reached: {message}")
    if not running:
        return Observation("Enforced", "Unknown", "NoWorkload", "no pod of the source or the destination runs")
    if not lawful:
        return Observation("Enforced", "True", "Closed", "the sidecars let nothing through: the flow is not lawful")
    if any(each.exposed for each in running):
        return Observation("Enforced", "True", "DirectPortOpen", _PAST_THE_SIDECAR)
    return Observation("Enforced", "True", "InForce", "all pods have the sidecar: only the declared peer is reached")


def _ready(lawful: Observation, credentials: Observation, enforced: Observation) -> Observation:
    for each in (lawful, credentials):
        if each.status != "True":
            return Observation("Ready", each.status, each.reason, each.message)
    if enforced.status == "False":
        return Observation("Ready", "False", enforced.reason, enforced.message)
    return Observation("Ready", "True", "Ready", "lawful, with credentials, and nothing is known to be unenforced")


def _stalled(lawful: Observation, enforced: Observation) -> Observation | None:
    """The kstatus condition: somebody has to act before this can become ready."""
    if lawful.status == "False":
        return Observation("Stalled", "True", lawful.reason, lawful.message)
    if enforced.reason in ("NotAccepted", "IndexFull", "NoEgress", "TlsTerminateOff"):
        return Observation("Stalled", "True", enforced.reason, enforced.message)
    return None


def _plain(finding: Finding) -> Object:
    return finding.model_dump(mode="json", by_alias=True)


def _workload(state: WorkloadState) -> Object:
    reason = state.reason
    told = {"kind": state.kind, "name": state.name, "side": state.side, "enforced": not reason, "reason": reason}
    return told | {"sidecars": list(state.sidecars[:MAXIMUM_SIDECARS])}
