"""``lawflow check --cluster``: what manifests refer to is found in a real cluster."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import Cluster

pytestmark = pytest.mark.cluster

API = "lawflow.dev/v1alpha1"


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _flow(namespace: str) -> dict[str, Any]:
    return _object(
        "DataFlow",
        "orders-to-billing",
        namespace,
        {
            "source": {"serviceAccountName": "orders", "datasetRefs": [{"name": "orders-db"}]},
            "destination": {"role": "sameController", "service": {"name": "billing", "port": 80}},
            "purposes": [{"purpose": "dpv:PaymentManagement"}],
        },
    )


def _workload(namespace: str) -> dict[str, Any]:
    template = {"spec": {"serviceAccountName": "orders", "containers": []}}
    metadata = {"name": "orders", "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}


def _check(cluster: Cluster, obj: dict[str, Any], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "lawflow", "check", "-f", "-", "-o", "json", *arguments]
    done = subprocess.run(command, input=json.dumps(obj), capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["findings"]


def _kubeconfig(cluster: Cluster) -> tuple[str, ...]:
    return "--cluster", "--kubeconfig", str(Path(cluster.admin.kubeconfig))


def test_a_reference_is_looked_up_in_the_cluster(control_plane: Cluster, crds: list[str], namespace: str) -> None:
    flow = _flow(namespace)
    _, offline = _check(control_plane, flow)
    assert ("HOUSE-reference-unresolved", "info") in {(found["rule"], found["severity"]) for found in offline}
    _, absent = _check(control_plane, flow, *_kubeconfig(control_plane))
    assert ("HOUSE-reference-unresolved", "deny") in {(found["rule"], found["severity"]) for found in absent}
    control_plane.apply(_object("Dataset", "orders-db", namespace, {"purposes": ["dpv:DirectMarketing"]}))
    _, found = _check(control_plane, flow, *_kubeconfig(control_plane))
    rules = {one["rule"] for one in found}
    assert "HOUSE-reference-unresolved" not in rules
    assert "GDPR-5-1-b-purpose-incompatible" in rules


def test_a_workload_is_judged_by_the_flows_of_the_cluster(
    control_plane: Cluster, crds: list[str], namespace: str
) -> None:
    workload = _workload(namespace)
    assert _check(control_plane, workload) == (0, [])
    control_plane.apply(_flow(namespace))
    code, (finding,) = _check(control_plane, workload, *_kubeconfig(control_plane))
    assert code == 1
    assert finding["rule"] == "HOUSE-workload-unlawful-flow"
    assert finding["object"] == {"kind": "Deployment", "namespace": namespace, "name": "orders"}
