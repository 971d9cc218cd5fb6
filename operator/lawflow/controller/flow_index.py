"""The FlowIndex of a namespace from its flows and grants: what the gate inside the API server reads. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lawflow.controller.break_glass import Grants
from lawflow.controller.conditions import condition
from lawflow.model.base import API_VERSION
from lawflow.model.flow_index import INDEX_NAME, MAXIMUM_FLOWS, GenuineSidecar
from lawflow.store.protocol import Object

REASON_LENGTH = 512


def flow_index(
    namespace: str,
    flows: Collection[Object],
    in_force: Grants,
    expired: Grants,
    sidecar: GenuineSidecar | None,
) -> Object:
    """The index object; at most MAXIMUM_FLOWS verdicts, of the flows that have existed longest.

    Flows beyond that are named under their service account without a verdict, so that their workloads are refused as
    those of a missing flow are.
    """
    placed = indexed(flows)
    spec: Object = {
        "serviceAccounts": _accounts(placed, flows),
        "flows": {flow["metadata"]["name"]: verdict(flow) for flow in placed},
        "grants": in_force,
        "expiredGrants": expired,
    }
    if sidecar:
        spec["sidecar"] = sidecar.model_dump(mode="json", by_alias=True)
    return {
        "apiVersion": API_VERSION,
        "kind": "FlowIndex",
        "metadata": {"namespace": namespace, "name": INDEX_NAME},
        "spec": spec,
    }


def _accounts(placed: Collection[Object], flows: Collection[Object]) -> dict[str, list[str]]:
    """All flows by service account; accounts of flows with a verdict come first where there are too many accounts."""
    found: dict[str, list[str]] = {}
    for flow in (*placed, *flows):
        account = ((flow.get("spec") or {}).get("source") or {}).get("serviceAccountName")
        if account and (account in found or len(found) < MAXIMUM_FLOWS):
            found.setdefault(account, []).append(flow["metadata"]["name"])
    return {account: sorted(set(names)) for account, names in sorted(found.items())}


def indexed(flows: Iterable[Object]) -> list[Object]:
    """The flows that have a place in the index, by name."""
    oldest = sorted(flows, key=lambda flow: (flow["metadata"].get("creationTimestamp", ""), flow["metadata"]["name"]))
    return sorted(oldest[:MAXIMUM_FLOWS], key=lambda flow: str(flow["metadata"]["name"]))


def verdict(flow: Object) -> Object:
    """What the gate must know of one flow. A verdict on an older generation does not count as lawful."""
    status: Mapping[str, Any] = flow.get("status") or {}
    lawful = condition(status, "Lawful")
    current = lawful.get("observedGeneration", 0) == flow["metadata"].get("generation", 0)
    why = lawful.get("message", "")[:REASON_LENGTH] if current else ""
    found: Object = {
        "lawful": current and lawful.get("status") == "True",
        "everLawful": bool(status.get("firstLawfulAt")),
    }
    found["reason"] = "" if found["lawful"] else why or "not evaluated yet"
    return found


def changes(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """The JSON merge patch (RFC 7396) that turns one object into another that holds no null."""
    patch: Object = {name: None for name in before if name not in wanted}
    for name, value in wanted.items():
        held = before.get(name)
        if isinstance(value, Mapping) and isinstance(held, Mapping):
            if inner := changes(held, value):
                patch[name] = inner
        elif value != held:
            patch[name] = value
    return patch
