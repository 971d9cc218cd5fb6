"""The node itself: what pods get from it."""

import pytest
from tests.e2e.conftest import APP_IMAGE
from tests.support.node.cluster import NodeCluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def test_a_pod_reaches_a_service_by_its_name(cluster: NodeCluster) -> None:
    labels = {"app": "plain"}
    app = {"name": "app", "image": APP_IMAGE, "imagePullPolicy": "Never", "args": ["serve", "8080"]}
    pod = {"metadata": {"name": "plain", "namespace": "default", "labels": labels}, "spec": {"containers": [app]}}
    service = {"metadata": {"name": "plain", "namespace": "default"}, "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}}  # fmt: skip  # noqa: E501
    cluster.apply({"apiVersion": "v1", "kind": "Pod", **pod}, {"apiVersion": "v1", "kind": "Service", **service})
    cluster.kubectl("wait", "--for=condition=Ready", "pod/plain", "--timeout=30s")
    command = ["exec", "plain", "--", "/usr/bin/python3", "/app/peer.py", "call", "GET", "http://plain.default.svc/"]
    told = eventually(lambda: cluster.kubectl(*command).stdout, "an answer by the Service's name")
    assert '"status": 200' in told
    assert "GET / " in cluster.kubectl("logs", "plain").stdout
