"""Injection as an answer to a review: the pod's patch, or why it can have no sidecar."""

from dataclasses import replace
from typing import Any

from lawflow.inject.json_patch import json_patch
from lawflow.inject.pod import inject_pod
from lawflow.inject.result import Injected, Refusal, Refused
from lawflow.inject.settings import IdentityData, InjectionSettings
from lawflow.model.workload import pod_template
from lawflow.webhook.decision import Decision, warning
from lawflow.webhook.knowledge import Knowledge

Object = dict[str, Any]


def with_sidecar(decision: Decision, request: Object, knowledge: Knowledge, settings: InjectionSettings) -> Decision:
    """The decision with a patch that adds the sidecar, where the request creates a pod that is to have one."""
    namespace = knowledge.view.namespace(request.get("namespace", ""))
    pod = request.get("object")
    if not decision.allowed or not pod or not namespace.opted_in:
        return decision
    if pod.get("kind") != "Pod" or request["operation"] != "CREATE" or request.get("subResource"):
        return decision
    template = pod_template(pod)
    if template is None:
        return decision
    destinations = knowledge.destinations(request.get("namespace", ""), template.service_account)
    match inject_pod(pod, settings, IdentityData(destinations, namespace.interception)):
        case Injected(injected, told):
            warnings = (*decision.warnings, *(warning(each) for each in told))
            return replace(decision, patch=tuple(json_patch(pod, injected)), warnings=warnings)
        case Refused(reasons):
            return _refused(decision, reasons, namespace.enforce)
        case _:
            return decision


def _refused(decision: Decision, reasons: tuple[Refusal, ...], enforce: str) -> Decision:
    if enforce == "audit":
        return replace(decision, audit={**decision.audit, "no-sidecar": ",".join(reason.code for reason in reasons)})
    if enforce == "warn":
        return replace(decision, warnings=(*decision.warnings, *(warning(str(reason)) for reason in reasons)))
    lines = ["the pod can have no sidecar, and its namespace asks for one."]
    for reason in reasons:
        lines += [f"  {reason.path}", f"    why  {reason.message}", f"    fix  {reason.fix}"]
    return replace(decision, allowed=False, message="\n".join(lines))
