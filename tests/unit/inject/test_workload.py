"""Injection into every kind with a pod template."""

import pytest
from tests.support.pods import IDENTITY_DATA, SETTINGS, Object, pod

from lawflow.inject import Injected, Refused, Unchanged, inject_workload

pytestmark = pytest.mark.unit

TEMPLATE_KINDS = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout"]


def template(**spec: object) -> Object:
    return {"metadata": {"labels": {"app": "orders"}}, "spec": pod(**spec)["spec"]}


def workload(kind: str, **spec: object) -> Object:
    inner = {"template": template(**spec)}
    body = {"schedule": "@daily", "jobTemplate": {"spec": inner}} if kind == "CronJob" else {"replicas": 2, **inner}
    return {"kind": kind, "metadata": {"name": "orders"}, "spec": body}


def pod_spec(found: Object) -> Object:
    body = found["spec"]["jobTemplate"]["spec"] if found["kind"] == "CronJob" else found["spec"]
    spec: Object = body["template"]["spec"]
    return spec


@pytest.mark.parametrize("kind", [*TEMPLATE_KINDS, "CronJob"])
def test_every_kind_with_a_pod_template_gets_the_sidecar(kind: str) -> None:
    before = workload(kind)
    result = inject_workload(before, SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    assert pod_spec(result.pod)["initContainers"][0]["name"] == "lawflow-sidecar"
    assert result.pod["metadata"] == before["metadata"]
    assert "initContainers" not in pod_spec(before)
    assert inject_workload(result.pod, SETTINGS, IDENTITY_DATA) == Unchanged("genuine-sidecar")


def test_a_bare_pod_gets_the_sidecar() -> None:
    result = inject_workload(pod(), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    assert result.pod["kind"] == "Pod"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", ".spec.template.spec.hostNetwork"),
        ("CronJob", ".spec.jobTemplate.spec.template.spec.hostNetwork"),
    ],
)
def test_a_refusal_names_the_path_from_the_root_of_the_workload(kind: str, path: str) -> None:
    result = inject_workload(workload(kind, hostNetwork=True), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Refused)
    assert result.reasons[0].path == path


def test_anything_without_a_pod_template_stays_as_it_is() -> None:
    service = {"kind": "Service", "metadata": {"name": "orders"}, "spec": {"ports": []}}
    assert inject_workload(service, SETTINGS, IDENTITY_DATA) == Unchanged("no-pod-template")
