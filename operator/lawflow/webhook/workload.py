"""Reviews of everything that makes pods: refuse what adds an unlawful flow, and stand in the way of nothing else."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lawflow.model import labels
from lawflow.model.workload import PodTemplate, pod_template
from lawflow.webhook import message
from lawflow.webhook.decision import ALLOWED, Decision, warning
from lawflow.webhook.view import NamespaceView, Verdict, View

Object = dict[str, Any]

UNLAWFUL_FLOWS = "unlawful-flows"
"""Audit annotation: the flows that would have been refused."""
BREAK_GLASS = "break-glass"
"""Audit annotation: why, and by whose grant, the gate was passed."""

_CLUSTER_CONTROLLERS = ("system:serviceaccount:kube-system:", "system:kube-controller-manager")


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """A flow that is not lawful, and whether that refuses this object."""

    flow: str
    state: str
    verdict: Verdict | None
    refuses: bool


def review_workload(request: Object, view: View, now: dt.datetime) -> Decision:
    """Decide on a workload or a pod; ``request`` is the ``request`` of an AdmissionReview (admission.k8s.io/v1)."""
    obj = request.get("object")
    if not obj or request["operation"] not in ("CREATE", "UPDATE") or request.get("subResource"):
        return ALLOWED
    if obj["metadata"].get("deletionTimestamp"):
        return ALLOWED
    template = pod_template(obj)
    if template is None:
        return ALLOWED
    namespace = view.namespace(request.get("namespace", ""))
    old = request.get("oldObject")
    old_template = pod_template(old) if old and request["operation"] == "UPDATE" else None
    if namespace.opted_in:
        obstacles = list(_obstacles(obj, template, old_template, namespace))
    else:
        obstacles = list(_declared_outside(obj, template, old_template))
    if not obstacles:
        return ALLOWED
    return _decide(request, obj, namespace, obstacles, now)


def _obstacles(
    obj: Object, template: PodTemplate, old: PodTemplate | None, namespace: NamespaceView
) -> Iterator[_Obstacle]:
    is_pod = obj.get("kind") == "Pod"
    before = set(_flows(old, namespace)) if old and old.service_account == template.service_account else set()
    for name in _flows(template, namespace):
        verdict = namespace.verdicts.get(name)
        if verdict is not None and verdict.lawful:
            continue
        added = name not in before
        if verdict is None:
            yield _Obstacle(name, "does not exist", None, added and (is_pod or namespace.missing_denied))
        elif not verdict.evaluated:
            yield _Obstacle(name, "has not been evaluated yet", verdict, added and is_pod)
        else:
            # Its data path is closed already; refusing what a controller recreates would only be an outage.
            closed = verdict.ever_lawful and _controller(obj) is not None
            state = "is lawful no more, and closed" if closed else "is unlawful"
            yield _Obstacle(name, state, verdict, added and not closed)


def _declared_outside(obj: Object, template: PodTemplate, old: PodTemplate | None) -> Iterator[_Obstacle]:
    """Where the namespace has not opted in, a declared flow cannot hold: nothing would enforce it."""
    before = old.declared_flows if old else ()
    for name in template.declared_flows:
        if name not in before:
            state = f"cannot hold: the namespace lacks the label {labels.INJECT}=enabled"
            yield _Obstacle(name, state, None, obj.get("kind") == "Pod")


def _flows(template: PodTemplate, namespace: NamespaceView) -> tuple[str, ...]:
    own = namespace.flows_of_service_account.get(template.service_account, ())
    declared = template.declared_flows
    return own if not declared else tuple(dict.fromkeys((*own, *declared)))


def _decide(
    request: Object, obj: Object, namespace: NamespaceView, obstacles: Sequence[_Obstacle], now: dt.datetime
) -> Decision:
    refusing = [obstacle for obstacle in obstacles if obstacle.refuses]
    warnings = tuple(_warning(obj, obstacle) for obstacle in obstacles)
    if not refusing:
        return Decision(warnings=warnings)
    names = ",".join(obstacle.flow for obstacle in refusing)[:1024]
    if namespace.enforce == "audit":
        return Decision(audit={UNLAWFUL_FLOWS: names})
    if namespace.enforce == "warn":
        return Decision(warnings=warnings, audit={UNLAWFUL_FLOWS: names})
    for key in _grant_keys(request, obj):
        grant = namespace.grants.get(key)
        if grant is not None and now < grant.expires:
            told = f"break-glass until {grant.expires:%H:%M} UTC by {grant.user}: {grant.reason}"
            return Decision(warnings=(warning(told),), audit={UNLAWFUL_FLOWS: names, BREAK_GLASS: told})
    text = message.refusal(_subject(request, obj), request.get("namespace", ""), [_told(o) for o in refusing])
    reason = (obj["metadata"].get("annotations") or {}).get(labels.BREAK_GLASS, "").strip()
    return Decision(False, text, warnings=tuple(_warning(obj, o) for o in obstacles if not o.refuses),
                    audit={UNLAWFUL_FLOWS: names}, break_glass=reason)  # fmt: skip


def passed_by_break_glass(decision: Decision, user: str) -> Decision:
    """The refusal turned into a warning, for a user who may bypass the gate."""
    told = f"break-glass by {user}: {decision.break_glass}"
    warnings = (warning(f"{told}; admitted although {decision.message}"),)
    return replace(decision, allowed=True, message="", warnings=warnings, audit={**decision.audit, BREAK_GLASS: told})


def by_cluster_controller(request: Object) -> bool:
    """Whether one of the cluster's own controllers acts: it copies what users were allowed to write."""
    return str((request.get("userInfo") or {}).get("username", "")).startswith(_CLUSTER_CONTROLLERS)


def _told(obstacle: _Obstacle) -> tuple[str, str, Sequence[Any]]:
    return obstacle.flow, obstacle.state, obstacle.verdict.findings if obstacle.verdict else ()


def _warning(obj: Object, obstacle: _Obstacle) -> str:
    text = f"DataFlow {obstacle.flow} {obstacle.state}"
    if obstacle.verdict and obstacle.verdict.findings:
        text += f": {message.sentence(obstacle.verdict.findings[0])}"
    elif obj.get("kind") != "Pod" and not obstacle.refuses:
        text += "; pods wait until it is there and lawful"
    return warning(text)


def _subject(request: Object, obj: Object) -> str:
    # A pod made from generateName has no name yet.
    name = obj["metadata"].get("name") or request.get("name") or obj["metadata"].get("generateName", "") + "…"
    return f"{obj.get('kind', 'Object')} {request.get('namespace', '')}/{name}"


def _controller(obj: Object) -> Object | None:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            found: Object = owner
            return found
    return None


def _grant_keys(request: Object, obj: Object) -> Iterator[str]:
    """Workloads whose grant covers this object: itself and, where the cluster's controllers made it, its owners."""
    metadata = obj["metadata"]
    yield f"{obj.get('kind')}/{metadata.get('name') or request.get('name', '')}"
    owner = _controller(obj)
    if owner is None or not by_cluster_controller(request):
        return
    yield f"{owner['kind']}/{owner['name']}"
    stem = str(owner["name"]).rpartition("-")[0]
    if owner["kind"] == "ReplicaSet":
        yield f"Deployment/{stem}"
    elif owner["kind"] == "Job":
        yield f"CronJob/{stem}"
