"""Pods of the tests here: a program that listens and calls, and the proof that pods with sidecars begin with."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support import pod_peer
from tests.support.node import images, oci
from tests.support.node.cluster import NodeCluster

from lawflow import __version__

Object = dict[str, Any]

IMAGE = "docker.io/lawflow/pod-peer:test"
SIDECAR_IMAGE = f"docker.io/lawflow/sidecar:{__version__}"
NAMESPACE = "default"
RESTRICTED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="session")
def peers(cluster: NodeCluster, tmp_path_factory: pytest.TempPathFactory) -> NodeCluster:
    """The cluster, with the image of those pods."""
    folder = tmp_path_factory.mktemp("pod-peer")
    (folder / "root" / "app").mkdir(parents=True)
    shutil.copy(Path(pod_peer.__file__), folder / "root" / "app" / "pod_peer.py")
    layers = [images.kept_layer(images.python_base()), oci.layer(folder / "root")]
    oci.write(oci.Image(IMAGE, layers, ["/usr/bin/python3", "/app/pod_peer.py"]), folder / "pod-peer.tar")
    cluster.load(folder / "pod-peer.tar")
    return cluster


def container(name: str, user: int, *arguments: str, **more: object) -> Object:
    """A container that listens or calls."""
    context = {**RESTRICTED, "runAsUser": user}
    return {"name": name, "image": IMAGE, "imagePullPolicy": "Never", "args": list(arguments), "securityContext": context} | more  # fmt: skip  # noqa: E501


def check(user: int = 64537) -> Object:
    """The proof, as the first init container."""
    context = {**RESTRICTED, "runAsUser": user, "readOnlyRootFilesystem": True}
    command = ["lawflow-network", "check"]
    return {"name": "lawflow-network", "image": SIDECAR_IMAGE, "command": command, "securityContext": context}


def pod(name: str, *containers: Object, first: Object | None = None, **annotations: str) -> Object:
    """A pod that is not started again when it fails."""
    spec: Object = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": list(containers)}
    if first:
        spec["initContainers"] = [first]
    named = {f"lawflow.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": named}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
