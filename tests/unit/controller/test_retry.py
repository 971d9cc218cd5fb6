"""Refused pods are tried again when they may start, and not all the time."""

import datetime as dt

import pytest

from lawflow.controller.retry import INTERVAL, due, lacks_pods
from lawflow.model import labels
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


def replica_set(touched: dt.datetime | None = None, refused: bool = True) -> Object:
    annotations = {labels.RETRY: touched.isoformat()} if touched else {}
    condition = {"type": "ReplicaFailure", "status": "True" if refused else "False"}
    return {
        "kind": "ReplicaSet",
        "metadata": {"name": "orders-1", "annotations": annotations},
        "spec": {"replicas": 2},
        "status": {"replicas": 1, "conditions": [condition]},
    }


def flow(status: str, since: dt.datetime) -> Object:
    lawful = {"type": "Lawful", "status": status, "lastTransitionTime": since.isoformat()}
    return {"metadata": {"name": "a"}, "status": {"conditions": [lawful]}}


def test_a_workload_whose_pods_were_refused_lacks_them() -> None:
    assert lacks_pods(replica_set())
    assert not lacks_pods(replica_set(refused=False))


@pytest.mark.parametrize(
    ("workload", "lacks"),
    [
        ({"kind": "StatefulSet", "spec": {"replicas": 1}, "status": {"replicas": 0}}, True),
        ({"kind": "StatefulSet", "spec": {"replicas": 1}, "status": {"replicas": 1}}, False),
        ({"kind": "DaemonSet", "status": {"desiredNumberScheduled": 2, "currentNumberScheduled": 1}}, True),
        ({"kind": "Job", "spec": {}, "status": {}}, True),
        ({"kind": "Job", "spec": {"suspend": True}, "status": {}}, False),
        ({"kind": "Job", "spec": {}, "status": {"active": 1}}, False),
        ({"kind": "Job", "spec": {}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}, False),
        ({"kind": "Deployment", "spec": {"replicas": 1}, "status": {}}, False),
        ({"kind": "Pod", "spec": {}, "status": {}}, False),
    ],
)
def test_each_kind_says_in_its_own_way_that_it_lacks_pods(workload: Object, lacks: bool) -> None:
    assert lacks_pods(workload) is lacks


def test_it_is_tried_at_once_when_its_flow_has_become_lawful() -> None:
    assert due(replica_set(touched=NOW - dt.timedelta(seconds=2)), [flow("True", NOW - dt.timedelta(seconds=1))], NOW)


def test_it_waits_while_a_flow_is_not_lawful() -> None:
    assert not due(replica_set(), [flow("True", NOW), flow("False", NOW)], NOW)


def test_it_is_not_tried_again_within_the_interval() -> None:
    before = NOW - dt.timedelta(hours=1)
    assert not due(replica_set(touched=NOW - INTERVAL / 2), [flow("True", before)], NOW)
    assert due(replica_set(touched=NOW - INTERVAL), [flow("True", before)], NOW)


def test_an_annotation_that_is_no_time_is_as_good_as_none() -> None:
    workload = replica_set()
    workload["metadata"]["annotations"][labels.RETRY] = "yesterday"
    assert due(workload, [], NOW)
