"""The shared installation with the plugin on its node, and a namespace whose label chose interception redirect."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.conftest import APP_IMAGE, Answer
from tests.support import chart
from tests.support.injected_pods import injected
from tests.support.node.cluster import NodeCluster
from tests.support.waiting import eventually

Object = dict[str, Any]

HERE = Path(__file__).parent
NAMESPACE, SYSTEM, PLUGIN = "captured", "kube-system", "lawflow-network"
PORT = 8080
APP_USER = 1000
RESTRICTED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": APP_USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}

LISTENS = f"import socket; socket.create_connection(('127.0.0.1', {PORT})).close()"
CONNECT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as connection:
        connection.settimeout(10)
        connection.sendall(bytes.fromhex(sys.argv[3]))
        print("answered" if connection.recv(99) else "closed")
except TimeoutError:
    print("silent")
except OSError as error:
    print("refused")
"""


@dataclass(frozen=True)
class Captured:
    """The namespace, and what runs there."""

    cluster: NodeCluster

    def call(self, host: str, path: str = "/charges/c-17", workload: str = "deploy/orders") -> Answer:
        """One request of an app."""
        url = f"http://{host}:{PORT}{path}"
        done = self.execute("/app/peer.py", "call", "POST", url, '{"amount": 1}', workload=workload)
        return Answer(**json.loads(done))

    def connect(self, address: str, port: int, said: str = "", workload: str = "deploy/orders") -> str:
        """What becomes of a plain connection, on which ``said`` (hexadecimal) is sent."""
        return self.execute("-c", CONNECT, address, str(port), said, workload=workload).strip()

    def execute(self, *arguments: str, workload: str = "deploy/orders", namespace: str = NAMESPACE) -> str:
        """Run Python in the app of a workload."""
        command = ("exec", f"--namespace={namespace}", workload, "--container=app", "--", "/usr/bin/python3")
        return str(self.cluster.kubectl(*command, *arguments).stdout)

    def get(self, *arguments: str) -> Object:
        return self.cluster.get(*arguments, f"--namespace={NAMESPACE}")

    def pods(self, app: str) -> list[Object]:
        """The pods of an app, by name."""
        found: list[Object] = self.get("pods", f"--selector=app={app}")["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def rolled_out(self, *workloads: str) -> None:
        for each in workloads:
            self.cluster.kubectl("rollout", "status", each, f"--namespace={NAMESPACE}", "--timeout=240s", seconds=300.0)

    def lawful(self, *flows: str) -> None:
        names = [f"dataflow/{name}" for name in flows]
        self.cluster.kubectl(
            "wait", "--for=condition=Lawful", *names, f"--namespace={NAMESPACE}", "--timeout=120s", seconds=150.0
        )


def workload(name: str, *arguments: str, kind: str = "Deployment", replicas: int = 1, **app: Any) -> Object:
    """A workload of the app under the service account of its name; ``app`` are more fields of its container."""
    labels = {"app": name}
    container = {
        "name": "app", "image": APP_IMAGE, "imagePullPolicy": "Never", "args": list(arguments),
        "securityContext": RESTRICTED, **app,
    }  # fmt: skip
    spec: Object = {"serviceAccountName": name, "terminationGracePeriodSeconds": 1, "containers": [container]}
    more = {"serviceName": name, "podManagementPolicy": "Parallel"} if kind == "StatefulSet" else {}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
            **more,
        },
    }


def flow(destination: str, source: str = "orders") -> Object:
    """A flow to a Service, as the one of orders to billing."""
    objects = yaml.safe_load_all((HERE / "captured.yaml").read_text(encoding="utf-8"))
    found: Object = next(each for each in objects if each["metadata"]["name"] == "orders-to-billing")
    found["metadata"]["name"] = f"{source}-to-{destination}"
    found["spec"]["source"]["serviceAccountName"] = source
    found["spec"]["destination"]["service"]["name"] = destination
    return found


def install_plugin(cluster: NodeCluster) -> None:
    """The chart's DaemonSet alone, beside the shared installation."""
    paths = f"network.cniBinDir={cluster.plugins},network.cniConfDir={cluster.networks}"
    values = f"--set=network.enabled=true,network.namespace={SYSTEM},{paths}"
    cluster.apply(*chart.objects(chart.rendered("--show-only=templates/network.yaml", values)))
    cluster.kubectl(
        "rollout", "status", f"daemonset/{PLUGIN}", f"--namespace={SYSTEM}", "--timeout=240s", seconds=300.0
    )


@dataclass(frozen=True)
class Early:
    """What happened to a workload that came before the plugin."""

    events: list[str]
    applied: Answer
    """What an undeclared call from a pod gets whose own init container put the rules."""


@pytest.fixture(scope="session")
def early(installed: NodeCluster) -> Early:
    """A workload that started while no plugin was there to put rules, seen until its flow's status said so and its
    first pod was made again."""
    installed.apply(*yaml.safe_load_all((HERE / "captured.yaml").read_text(encoding="utf-8")))
    captured = Captured(installed)
    installed.apply(flow("store"), flow("billing", "early"))
    captured.lawful("orders-to-billing", "early-to-billing")
    namespace, pod = _applying()
    installed.apply(workload("early", "wait"), namespace)
    installed.await_namespace("applied")
    installed.apply(pod)

    def told() -> list[str]:
        events = captured.get("events", "--field-selector=reason=NetworkRulesMissing")["items"]
        return [each["message"] for each in events if each["involvedObject"]["name"] == "early"]

    # It comes and goes with each pod that is made again: looks could miss it, and this watches.
    missing = '--for=jsonpath={.status.conditions[?(@.type=="Enforced")].reason}=NetworkRulesMissing'
    where = ("dataflow/early-to-billing", f"--namespace={NAMESPACE}", "--timeout=180s")
    installed.kubectl("wait", missing, *where, seconds=210.0)
    events = eventually(told, "an event about the missing rules", seconds=180.0)
    installed.kubectl(
        "wait", "--for=condition=Ready", "pod/applying", "--namespace=applied", "--timeout=180s", seconds=200.0
    )
    url = f"http://203.0.113.9:{PORT}/"
    told_there = captured.execute("/app/peer.py", "call", "GET", url, workload="applying", namespace="applied")
    return Early(events, Answer(**json.loads(told_there)))


def _applying() -> list[Object]:
    """A pod with rules of its own init container, which takes a namespace that lets it."""
    labels = {"lawflow.dev/inject": "enabled", "lawflow.dev/interception": "redirect"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "applied", "labels": labels}}
    template = workload("default", "serve", str(PORT), readinessProbe={"httpGet": {"path": "/", "port": PORT}})
    spec = template["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "applying", "namespace": "applied"}, "spec": spec}
    return [namespace, injected(pod, "redirect", "initContainer")]


@pytest.fixture(scope="session")
def captured(installed: NodeCluster, early: Early) -> Iterator[Captured]:
    """Everything, running."""
    del early
    install_plugin(installed)
    found = Captured(installed)
    probes: Object = {
        "startupProbe": {
            "exec": {"command": ["/usr/bin/python3", "-c", LISTENS]},
            "periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 60,
        },
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "timeoutSeconds": 5},
    }  # fmt: skip
    billing = workload("billing", "serve", str(PORT), **probes)
    health = (HERE / "health.py").read_text(encoding="utf-8")
    billing["spec"]["template"]["spec"]["containers"].append(
        {
            "name": "health", "image": APP_IMAGE, "imagePullPolicy": "Never", "securityContext": RESTRICTED,
            "command": ["/usr/bin/python3", "-c", health, "9000"],
            "readinessProbe": {"grpc": {"port": 9000}, "periodSeconds": 1, "timeoutSeconds": 5},
        }
    )  # fmt: skip
    found.lawful("orders-to-store")
    # orders listens on all addresses at the very port of what it calls.
    orders = workload("orders", "serve", str(PORT))
    store = workload("store", "serve", str(PORT), kind="StatefulSet", replicas=2)
    outsider = workload("outsider", "serve", str(PORT))
    outsider["metadata"]["namespace"] = "default"
    outsider["spec"]["template"]["spec"]["serviceAccountName"] = "default"
    # A pod of the same service account that was made in the other mode.
    veteran = workload("veteran", "wait")
    veteran["spec"]["template"]["spec"]["serviceAccountName"] = "orders"
    veteran["spec"]["template"]["metadata"]["annotations"] = {"lawflow.dev/interception": "explicit"}
    installed.apply(billing, orders, store, veteran, outsider)
    found.rolled_out(
        "deployment/billing", "deployment/orders", "statefulset/store", "deployment/early", "deployment/veteran"
    )
    installed.kubectl("rollout", "status", "deployment/outsider", "--timeout=120s", seconds=150.0)
    # Pods that become ready side by side: callers learn of the called one's address a moment later.
    for caller, called in (("orders", "billing"), ("orders", "store"), ("veteran", "billing")):
        eventually(lambda: found.call(called, workload=f"deploy/{caller}").status == 200, f"{caller} gets through")  # noqa: B023
    yield found
    installed.kubectl("delete", "namespace", NAMESPACE, "applied", "--wait=false")
    installed.kubectl("delete", "deployment", "outsider", "--wait=false")
