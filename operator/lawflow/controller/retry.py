"""Which workloads have pods that were refused and may start now. Pure.

Their controllers try again by themselves, but wait up to a quarter of an hour by then; any change of the object makes
them try at once.
"""

import datetime as dt
from collections.abc import Iterable

from lawflow.controller.conditions import condition
from lawflow.model import labels
from lawflow.store.protocol import Object

INTERVAL = dt.timedelta(seconds=20)
"""Pause between two touches of one workload that goes on lacking pods: it bounds the wait after an outage."""


def lacks_pods(workload: Object) -> bool:
    """Whether a workload that makes pods itself has fewer than it wants, as far as its own status shows."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    match workload.get("kind"):
        case "ReplicaSet" | "ReplicationController":
            refused = condition(status, "ReplicaFailure").get("status") == "True"
            return refused and spec.get("replicas", 1) > status.get("replicas", 0)
        case "StatefulSet":
            return bool(spec.get("replicas", 1) > status.get("replicas", 0))
        case "DaemonSet":
            return bool(status.get("desiredNumberScheduled", 0) > status.get("currentNumberScheduled", 0))
        case "Job":
            ended = any(condition(status, type_).get("status") == "True" for type_ in ("Complete", "Failed"))
            return not (ended or spec.get("suspend") or status.get("active") or status.get("terminating"))
        case _:
            return False


def due(workload: Object, flows: Iterable[Object], now: dt.datetime) -> bool:
    """Whether to touch a workload that lacks pods: all its flows are lawful, and the last touch is stale.

    It is stale once a flow has become lawful after it, else after INTERVAL.
    """
    verdicts = [condition(flow.get("status"), "Lawful") for flow in flows]
    if any(verdict.get("status") != "True" for verdict in verdicts):
        return False
    last = (workload["metadata"].get("annotations") or {}).get(labels.RETRY)
    if not last:
        return True
    try:
        touched = dt.datetime.fromisoformat(last)
    except ValueError:
        return True
    since = [dt.datetime.fromisoformat(verdict["lastTransitionTime"]) for verdict in verdicts]
    return now - touched >= INTERVAL or any(moment > touched for moment in since)
