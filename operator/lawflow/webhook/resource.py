"""Reviews of Lawflow's own kinds: say at once what is wrong; refuse only what no other object could make lawful."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lawflow.law import Context, beyond_repair, evaluate
from lawflow.model.dataflow import DataFlow
from lawflow.model.parse import InvalidObjectError, parse
from lawflow.model.status import Finding
from lawflow.webhook import message
from lawflow.webhook.decision import ALLOWED, UNPROCESSABLE, Decision, warning
from lawflow.webhook.view import View

Object = dict[str, Any]

WARNINGS_SHOWN = 5
"""The API server truncates warnings beyond 4 KiB in all."""
PROBLEMS_SHOWN = 5


def review_resource(request: Object, view: View, context: Context, today: dt.date) -> Decision:
    """Decide on an object of the group ``lawflow.dev``; ``today`` is the day for which the law is asked."""
    obj = request.get("object")
    if not obj or request["operation"] not in ("CREATE", "UPDATE") or request.get("subResource"):
        return ALLOWED
    old = request.get("oldObject")
    if obj["metadata"].get("deletionTimestamp") or (old and old.get("spec") == obj.get("spec")):
        return ALLOWED
    name = request.get("name") or obj["metadata"].get("name", "")
    namespace = request.get("namespace", "")
    try:
        resource = parse(obj)
    except InvalidObjectError as error:
        return Decision(False, _problems(obj, name, namespace, error), UNPROCESSABLE)
    if not isinstance(resource, DataFlow):
        return ALLOWED
    findings = evaluate(resource, context, today)
    hopeless = _added(beyond_repair(findings), old, context, today)
    enforce = view.namespace(namespace).enforce
    if enforce == "audit":
        return ALLOWED
    if hopeless and enforce == "deny":
        more = f"lawflow check -f FILE, or lawflow explain {hopeless[0].rule}"
        return Decision(False, message.refused_resource("DataFlow", name, namespace, hopeless, more))
    return Decision(warnings=_warnings(name, namespace, findings))


def _added(hopeless: list[Finding], old: Object | None, context: Context, today: dt.date) -> list[Finding]:
    """Those that the edit brings about: a flow whose papers have expired must stay editable."""
    if not hopeless or not old:
        return hopeless
    try:
        before = parse(old)
    except InvalidObjectError:
        return hopeless
    assert isinstance(before, DataFlow)
    known = {(finding.rule, finding.path) for finding in evaluate(before, context, today)}
    return [finding for finding in hopeless if (finding.rule, finding.path) not in known]


def _warnings(name: str, namespace: str, findings: Sequence[Finding]) -> tuple[str, ...]:
    shown = tuple(warning(f"{finding.severity}: {message.sentence(finding)}") for finding in findings[:WARNINGS_SHOWN])
    left = len(findings) - len(shown)
    more = (f"and {left} more: kubectl describe dataflow {name} -n {namespace}",) if left else ()
    return shown + more


def _problems(obj: Object, name: str, namespace: str, error: InvalidObjectError) -> str:
    where = f"{namespace}/{name}" if namespace else name
    lines = [f"{obj.get('kind')} {where} does not fit its schema."]
    for problem in error.problems[:PROBLEMS_SHOWN]:
        lines += [f"  {problem.path}: {problem.message}", f"    fix  {problem.fix}"]
    left = len(error.problems) - PROBLEMS_SHOWN
    return "\n".join([*lines, f"  and {left} more"] if left > 0 else lines)
