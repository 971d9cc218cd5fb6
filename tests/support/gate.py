"""The gate on a real API server: policies, webhook configurations, and the admission server as a process."""

import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.support import environment
from tests.support.authority import Authority
from tests.support.cluster import Cluster
from tests.support.flows import index
from tests.support.injected_pods import GENUINE
from tests.support.ports import ReservedPort
from tests.support.waiting import eventually

from lawflow.gate import GateSettings, policies, webhook_configurations
from lawflow.gate.webhooks import Endpoint
from lawflow.model.schema import custom_resource_definitions

Object = dict[str, Any]

ADMINISTRATOR = "admin"
SETTINGS = GateSettings(index_writers=(ADMINISTRATOR, "kubernetes-admin"))
"""The administrator of the test cluster writes the index, in the controller's place."""


class AdmissionServer:
    """``lawflow webhook`` as a process, on a port that it keeps over its lives."""

    def __init__(self, cluster: Cluster, options: Sequence[str] = ()) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="lawflow-webhook-")
        directory = Path(self._temporary.name)
        self.authority = Authority(directory, "webhook-ca")
        self.pair = self.authority.server("localhost", address=cluster.host)
        self._port = ReservedPort()
        self.port = self._port.number
        self.url = f"https://{cluster.host}:{self.port}"
        self.log = directory / "webhook.log"
        self._host = cluster.host
        self._command = [
            *(sys.executable, "-m", "lawflow", "webhook"),
            *(f"--certificate={self.pair.certificate}", f"--key={self.pair.key}"),
            *(f"--host={cluster.host}", f"--port={self.port}", "--health-port=0"),
            *("--drain-seconds=0", "--certificate-seconds=0.1"),
            f"--kubeconfig={cluster.admin.kubeconfig}",
            *options,
        ]
        self._tls = ssl.create_default_context(cafile=self.authority.certificate)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where the API server finds it."""
        return Endpoint(self.url, self.authority.certificate.read_bytes())

    def client(self) -> httpx.Client:
        """A client that trusts it."""
        return httpx.Client(base_url=self.url, verify=self._tls, trust_env=False, timeout=10.0)

    def serial(self) -> int:
        """The serial number of the certificate that a new connection is shown."""
        with (
            socket.create_connection((self._host, self.port), timeout=10.0) as plain,
            self._tls.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            shown = connection.getpeercert()
            assert shown
            assert connection.version() == "TLSv1.3"
            return int(str(shown["serialNumber"]), 16)

    def start(self) -> None:
        """Start it; returns when it is ready."""
        with self.log.open("ab") as log:
            ours = environment.without("KUBE", "LAWFLOW_")
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=ours)
        with self.client() as client:

            def ready() -> bool:
                assert self.process is not None
                assert self.process.poll() is None, self.log.read_text()
                try:
                    return client.get("/readyz").status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            eventually(ready, "the admission server ready")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30.0)
        self.process = None
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._port.release()
        self._temporary.cleanup()


@contextmanager
def definitions(cluster: Cluster) -> Iterator[None]:
    """Our kinds, served by the API server. They stay: other tests may use them."""
    found = custom_resource_definitions()
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=found)
    names = [f"crd/{definition['metadata']['name']}" for definition in found]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    yield


@contextmanager
def backstop(cluster: Cluster) -> Iterator[None]:
    """The policies, in force; they go away in the order in which they are to be uninstalled."""
    made = policies(SETTINGS)
    cluster.kubectl("create", "namespace", SETTINGS.namespace, check=False)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-",
                    input=index(SETTINGS.namespace, sidecar=GENUINE))  # fmt: skip
    cluster.apply(*made)
    try:
        stranger = cluster.user(f"stranger-{uuid.uuid4().hex[:8]}")
        cluster.allow(stranger, ["create"], "deployments.apps", namespace="default")
        emergency = workload("probe", "default", "default", annotations={"lawflow.dev/break-glass": "probe"})
        # The last binding that was applied: the API server learns of them in that order.
        eventually(
            lambda: "lawflow-break-glass" in refusal(cluster, emergency, "--dry-run=server", user=stranger),
            "the policies in force",
        )
        yield
    finally:
        for one in reversed(made):
            cluster.kubectl("delete", one["kind"], one["metadata"]["name"], "--ignore-not-found", "--wait=false")


@contextmanager
def webhooks(cluster: Cluster, server: AdmissionServer) -> Iterator[None]:
    """The webhook configurations, in force."""
    made = webhook_configurations(SETTINGS, server.endpoint)
    cluster.apply(*made)
    try:
        probe = f"probe-{uuid.uuid4().hex[:8]}"
        cluster.apply(namespace(probe, **{"lawflow.dev/inject": "enabled"}))
        eventually(
            lambda: not refusal(cluster, pod("probe", probe, "default"), "--dry-run=server"), "the webhook asked"
        )
        cluster.kubectl("delete", "namespace", probe, "--wait=false")
        yield
    finally:
        for one in made:
            cluster.kubectl("delete", one["kind"], one["metadata"]["name"], "--ignore-not-found")


def namespace(name: str, **labels: str) -> Object:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(name: str, namespace: str, service_account: str = "orders", **metadata: Any) -> Object:
    """A small pod."""
    found = {"generateName": name} if name.endswith("-") else {"name": name}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**found, "namespace": namespace, **metadata},
        "spec": _pod_spec(service_account),
    }


def workload(
    name: str,
    namespace: str,
    service_account: str = "orders",
    kind: str = "Deployment",
    flows: str = "",
    replicas: int = 1,
    annotations: Object | None = None,
) -> Object:
    """A Deployment, StatefulSet, DaemonSet or ReplicaSet, whose template may declare flows."""
    labels = {"app": name}
    template: Object = {"metadata": {"labels": labels}, "spec": _pod_spec(service_account)}
    if flows:
        template["metadata"]["annotations"] = {"lawflow.dev/flows": flows}
    spec: Object = {"selector": {"matchLabels": labels}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _pod_spec(service_account: str) -> Object:
    return {"serviceAccountName": service_account, "containers": [{"name": "app", "image": "app"}]}


def refusal(cluster: Cluster, obj: Object, *flags: str, user: Any = None) -> str:
    """What the API server says when it refuses to create the object; empty where it admits it."""
    done = cluster.kubectl("create", "--filename=-", *flags, input=obj, user=user, check=False)
    return done.stderr if done.returncode else ""


def write_index(cluster: Cluster, name: str, **spec: Any) -> None:
    """Write a namespace's index and label the namespace ready, in the controller's place."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=index(name, **spec))
    cluster.kubectl("label", "namespace", name, "--overwrite", "lawflow.dev/index-ready=true")
