"""Admission requests as the API server writes them, and what the gate knows when it reviews them."""

import datetime as dt
from typing import Any

from lawflow.law import default_legal_data
from lawflow.law.example import EXAMPLE_DAY
from lawflow.model.kinds import KINDS
from lawflow.store.protocol import WatchEvent
from lawflow.webhook.knowledge import WATCHED, Knowledge

Object = dict[str, Any]

NAMESPACE = "shop"
NOW = dt.datetime.combine(EXAMPLE_DAY, dt.time(12), dt.UTC)
USER: Object = {"username": "dora", "groups": ["developers"]}
CONTROLLER: Object = {"username": "system:serviceaccount:kube-system:replicaset-controller"}


def namespace_object(name: str = NAMESPACE, **labels: str) -> Object:
    """A namespace; labels are written without ``lawflow.dev/``."""
    named = {f"lawflow.dev/{label}": value for label, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": named}}


def known(*objects: Object) -> Knowledge:
    """Knowledge of these objects, with every flow judged on the day of the law's examples."""
    knowledge = Knowledge(default_legal_data())
    for obj in objects:
        tell(knowledge, obj)
    for kind in WATCHED:
        knowledge.observe(kind, WatchEvent("SYNCED", {}))
    judge(knowledge)
    return knowledge


def tell(knowledge: Knowledge, obj: Object, gone: bool = False) -> None:
    """Let the knowledge observe an object."""
    knowledge.observe(KINDS[obj["kind"]], WatchEvent("DELETED" if gone else "MODIFIED", obj))


def judge(knowledge: Knowledge, day: dt.date = EXAMPLE_DAY) -> None:
    """Judge everything that is stale."""
    while knowledge.stale:
        knowledge.renew(day)


def request(
    obj: Object | None, old: Object | None = None, operation: str | None = None, user: Object = USER, **more: Any
) -> Object:
    """The ``request`` of an AdmissionReview: an update where there is an old object, else a creation."""
    shown = obj or old or {"kind": "", "metadata": {}}
    group, _, version = shown.get("apiVersion", "v1").rpartition("/")
    return {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": shown.get("kind", "")},
        "name": shown["metadata"].get("name", ""),
        "namespace": shown["metadata"].get("namespace", ""),
        "operation": operation or ("UPDATE" if old else "CREATE"),
        "userInfo": user,
        "object": obj,
        "oldObject": old,
        **more,
    }
