"""Notes who asks for break-glass beside the reason: the controller grants it and cannot see who wrote it."""

from dataclasses import replace
from typing import Any

from lawflow.inject.json_patch import json_patch
from lawflow.model import labels
from lawflow.webhook.decision import Decision
from lawflow.webhook.workload import by_cluster_controller

Object = dict[str, Any]


def with_user_noted(decision: Decision, request: Object) -> Decision:
    """The decision with a patch that notes the user, where the request gives a (new) reason for break-glass."""
    obj = request.get("object")
    if not decision.allowed or not obj or request["operation"] not in ("CREATE", "UPDATE"):
        return decision
    given, before = _annotations(obj), _annotations(request.get("oldObject") or {})
    reason = given.get(labels.BREAK_GLASS, "").strip()
    unchanged = request["operation"] == "UPDATE" and reason == before.get(labels.BREAK_GLASS, "").strip()
    if not reason or unchanged or by_cluster_controller(request):
        return decision
    user = str((request.get("userInfo") or {}).get("username", ""))
    noted = json_patch({"metadata": {"annotations": given}},
                       {"metadata": {"annotations": {**given, labels.BREAK_GLASS_USER: user}}})  # fmt: skip
    return replace(decision, patch=(*noted, *decision.patch))


def _annotations(obj: Object) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}
