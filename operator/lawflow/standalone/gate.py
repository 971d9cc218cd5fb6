"""The gate of the cluster, asked about the workloads of a folder: the same rules, the same words."""

import datetime as dt

from lawflow.law import LegalData
from lawflow.model import labels
from lawflow.model.kinds import NAMESPACE
from lawflow.standalone.topology import Workload
from lawflow.store.protocol import Object, Store, WatchEvent
from lawflow.webhook.decision import Decision
from lawflow.webhook.knowledge import WATCHED, Knowledge
from lawflow.webhook.workload import review_workload


async def opt_in(store: Store, namespaces: set[str]) -> None:
    """Make the namespaces that no file declares, opted in: who runs a folder wants it enforced."""
    present = {obj["metadata"]["name"] for obj in await store.list(NAMESPACE)}
    for name in sorted(namespaces - present):
        await store.apply(NAMESPACE, {"metadata": {"name": name, "labels": {labels.INJECT: "enabled"}}})


async def knowledge(store: Store, legal: LegalData, disabled_rules: frozenset[str], today: dt.date) -> Knowledge:
    """What the gate knows, from everything in the store as it is now."""
    known = Knowledge(legal, disabled_rules)
    for kind in WATCHED:
        for obj in await store.list(kind):
            known.observe(kind, WatchEvent("ADDED", obj))
        known.observe(kind, WatchEvent("SYNCED", {}))
    while known.stale:
        known.renew(today)
    return known


def review(workload: Workload, before: Workload | None, known: Knowledge, now: dt.datetime) -> Decision:
    """The gate's answer to the workload, and where it is admitted, to a pod of it; ``before`` is what runs already."""
    decision = review_workload(_request(workload.object, before.object if before else None), known.view, now)
    if not decision.allowed or workload.kind == "Pod":
        return decision
    return review_workload(_request(pod(workload)), known.view, now)


def pod(workload: Workload) -> Object:
    """The one pod that stands for a workload on this host."""
    metadata, template = workload.object["metadata"], workload.template
    owner = {
        "apiVersion": workload.object["apiVersion"],
        "kind": workload.kind,
        "name": workload.name,
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{workload.name}-lawflow",
            "namespace": workload.identity.namespace,
            "labels": dict(template.metadata.get("labels") or {}),
            "annotations": dict(template.metadata.get("annotations") or {}),
            "ownerReferences": [owner],
        },
        "spec": {**template.spec, "serviceAccountName": workload.identity.service_account},
    }


def _request(obj: Object, before: Object | None = None) -> Object:
    metadata = obj["metadata"]
    return {
        "operation": "UPDATE" if before else "CREATE",
        "oldObject": before,
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "object": obj,
        "userInfo": {"username": "lawflow-up"},
    }
