"""The FlowIndex of a namespace from its flows and grants: what the gate inside the API server reads. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lawflow.controller.break_glass import Grants
from lawflow.controller.conditions import condition
from lawflow.model.base import API_VERSION
from lawflow.model.flow_index import INDEX_NAME, MAXIMUM_FLOWS
from lawflow.store.protocol import Object

REASON_LENGTH = 512

NOT_EVALUATED = "not evaluated yet"
"""Why a flow is not lawful that has no verdict. The gate takes it for missing, not for unlawful, unless it once was
lawful: who applies flow and workload together would be refused by chance."""


def flow_index(namespace: str, flows: Collection[Object], in_force: Grants, expired: Grants) -> Object:
    """The index object; at most MAXIMUM_FLOWS verdicts, of the flows that have existed longest.

    Flows beyond that are named under their service account without a verdict, so that their workloads are refused as
    those of a missing flow are.
    """
    verdicts = {flow["metadata"]["name"]: verdict(flow) for flow in indexed(flows)}
    lawful = {name: found["serviceAccount"] for name, found in verdicts.items() if found["lawful"]}
    unlawful = {name: {key: part for key, part in found.items() if key != "lawful"} for name, found in verdicts.items()
                if not found["lawful"] and (found["everLawful"] or found["reason"] != NOT_EVALUATED)}  # fmt: skip
    unproven = _accounts(flow for flow in flows if flow["metadata"]["name"] not in lawful)
    spec: Object = {
        "lawful": "".join(f",{name}/{account}" for name, account in lawful.items()) + "," if lawful else "",
        "unlawful": unlawful,
        "serviceAccounts": dict(list(unproven.items())[:MAXIMUM_FLOWS]),
        "complete": len(unproven) <= MAXIMUM_FLOWS,
        "grants": in_force,
        "expiredGrants": expired,
    }
    return index_object(namespace, spec)


def accounts_of_flows(index: Object) -> Iterator[tuple[str, str]]:
    """Name and service account of every flow with a verdict in an index."""
    for entry in filter(None, index["spec"].get("lawful", "").split(",")):
        name, _, account = entry.partition("/")
        yield name, account
    for name, found in (index["spec"].get("unlawful") or {}).items():
        yield name, found["serviceAccount"]


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
        "serviceAccount": _account(flow),
        "everLawful": bool(status.get("firstLawfulAt")),
    }
    found["reason"] = "" if found["lawful"] else why or NOT_EVALUATED
    return found


def index_object(namespace: str, spec: Object) -> Object:
    """A FlowIndex with that spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": "FlowIndex",
        "metadata": {"namespace": namespace, "name": INDEX_NAME},
        "spec": spec,
    }


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


def _account(flow: Object) -> str:
    found: str = ((flow.get("spec") or {}).get("source") or {}).get("serviceAccountName") or ""
    return found


def _accounts(flows: Iterable[Object]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for flow in flows:
        if account := _account(flow):
            found.setdefault(account, []).append(flow["metadata"]["name"])
    return {account: sorted(names) for account, names in sorted(found.items())}
