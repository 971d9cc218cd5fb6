"""A shop whose orders call billing all the time, over HTTP and TCP: what a drill must not disturb."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import declared_shop
from tests.support.node import images, oci
from tests.support.node.cluster import NodeCluster
from tests.support.traffic_app import TCP_PORT
from tests.support.waiting import eventually

from lawflow.model import labels
from lawflow.model.sidecar import CONTAINER

Object = dict[str, Any]

IMAGE = "docker.io/lawflow/traffic:test"
NAMESPACE = "drilled-shop"
FLOWS = (declared_shop.LAWFUL_FLOW, "orders-to-database")
UNLAWFUL = "marketing"
"""A service account whose one flow has no lawful basis."""
SECONDS = 180.0
"""Patience with a machine that is slow; what is promised is measured apart from it."""


def write_image(archive: Path) -> int:
    """Writes the image of both apps."""
    root = archive.parent / "traffic"
    (root / "app").mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "traffic_app.py", root / "app")
    layers = [images.kept_layer(images.python_base()), oci.layer(root)]
    return oci.write(oci.Image(IMAGE, layers, ["/usr/bin/python3", "/app/traffic_app.py"]), archive)


def declared() -> list[Object]:
    """Namespace, flows, service accounts and Services."""
    tcp = declared_shop.lawful_flow(NAMESPACE)
    tcp["metadata"]["name"] = FLOWS[1]
    tcp["spec"]["destination"]["service"] = {
        "name": "database", "port": TCP_PORT, "protocol": "tcp", "serviceAccountName": "billing",
    }  # fmt: skip
    metadata = {"name": "database", "namespace": NAMESPACE}
    spec = {"selector": {"app": "billing"}, "ports": [{"port": TCP_PORT}]}
    database = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    return [*declared_shop.declared(NAMESPACE), tcp, database]


def workload(name: str, *arguments: str, account: str = "", namespace: str = NAMESPACE) -> Object:
    """A Deployment of the app, under the service account of its name or another."""
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    app = {"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "args": list(arguments)}
    spec = {"serviceAccountName": account or name, "containers": [app | {"securityContext": context}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


@dataclass(frozen=True)
class DrillShop:
    """The shop, and what its callers have been told."""

    cluster: NodeCluster

    @classmethod
    def open(cls, cluster: NodeCluster) -> "DrillShop":
        """Declares and starts everything; returns when calls get through."""
        shop = cls(cluster)
        cluster.apply(*declared())
        for flow in FLOWS:
            cluster.kubectl(*_await("Lawful", flow), seconds=SECONDS)
        cluster.kubectl(*_await("Lawful=False", declared_shop.UNLAWFUL_FLOW), seconds=SECONDS)
        billing = workload("billing", "serve")
        (app,) = billing["spec"]["template"]["spec"]["containers"]
        # No TCP connection may reach a pod before it listens: nobody repeats that.
        app["readinessProbe"] = {"tcpSocket": {"port": TCP_PORT}, "periodSeconds": 1}
        cluster.apply(billing)
        shop.available("billing")
        shop.drive("orders")
        return shop

    def drive(self, name: str) -> None:
        """Starts a Deployment that calls as the source of the flows; returns when calls of every kind get through."""
        calling = ("drive", f"billing.{NAMESPACE}.svc", f"database.{NAMESPACE}.svc")
        self.cluster.apply(workload(name, *calling, account="orders"))
        self.available(name)
        eventually(lambda: _flowing(self._records(name)[-2:]), "calls of every kind that get through", SECONDS)

    def available(self, name: str) -> None:
        """Waits until a Deployment has all its pods."""
        where = (f"--namespace={NAMESPACE}", f"--timeout={SECONDS:.0f}s")
        self.cluster.kubectl("rollout", "status", f"deployment/{name}", *where, seconds=SECONDS)

    def failures_since(self, moment: float, driver: str = "orders") -> dict[str, dict[str, int]]:
        """Calls by kind and outcome that failed since that time; returns when calls of every kind get through again.

        ``moment`` is of ``time.time``, ``driver`` the Deployment that calls.
        """
        last = self.passing(driver)
        before: Object = {}
        for record in self._records(driver):
            if record["at"] <= moment:
                before = record
        return {
            kind: lost
            for kind in _kinds(last)
            if (lost := {
                outcome: count - before.get(kind, {}).get(outcome, 0)
                for outcome, count in last[kind].items()
                if outcome != "ok" and count > before.get(kind, {}).get(outcome, 0)
            })
        }  # fmt: skip

    def passing(self, driver: str = "orders") -> Object:
        """Returns once calls of every kind have got through from now on, with the last record of them."""
        now = time.time()

        def after() -> list[Object] | None:
            records = [record for record in self._records(driver) if record["at"] > now]
            return records if _flowing(records) else None

        return eventually(after, "calls of every kind that get through", SECONDS)[-1]

    def pods(self, name: str = "") -> list[Object]:
        """The pods of a Deployment, or of all."""
        selector = [f"--selector=app={name}"] if name else []
        found: list[Object] = self.cluster.get("pods", f"--namespace={NAMESPACE}", *selector)["items"]
        return found

    def certified(self, pod: Object) -> set[str]:
        """The requests for a certificate of a pod that were answered with one, by their uids."""
        found = self.cluster.get("podcertificaterequests", f"--namespace={NAMESPACE}")["items"]
        answered = [each for each in found if each.get("status", {}).get("certificateChain")]
        return {each["metadata"]["uid"] for each in answered if each["spec"]["podUID"] == pod["metadata"]["uid"]}

    def start(self, name: str, account: str = "orders") -> bool:
        """Asks for one more lawful workload. Raises AssertionError where it is refused."""
        self.cluster.apply(workload(name, "wait", account=account))
        return True

    def running(self, name: str) -> bool:
        """Whether the one pod of that workload is Ready, with its sidecar; one that ends is of a workload before."""
        return any(
            {"type": "Ready", "status": "True"}.items() <= condition.items()
            for pod in self.pods(name)
            if "deletionTimestamp" not in pod["metadata"]
            if any(each["name"] == CONTAINER for each in pod["spec"].get("initContainers", ()))
            for condition in pod["status"].get("conditions", ())
        )

    def end(self, name: str) -> None:
        """Removes a workload that ``start`` asked for; its pods end meanwhile."""
        self.cluster.kubectl("delete", "deployment", name, f"--namespace={NAMESPACE}", "--ignore-not-found")

    def status(self, flow: str = FLOWS[0]) -> Object:
        """What Lawflow says of a flow."""
        found: Object = self.cluster.get("dataflow", flow, f"--namespace={NAMESPACE}").get("status", {})
        return found

    def condition(self, kind: str, flow: str = FLOWS[0]) -> tuple[str, str]:
        """Status and reason of a flow's condition."""
        for each in self.status(flow).get("conditions", ()):
            if each["type"] == kind:
                return each["status"], each["reason"]
        return "", ""

    def _records(self, driver: str) -> list[Object]:
        what = ("logs", f"--namespace={NAMESPACE}", f"deploy/{driver}", "--container=app")
        logs = self.cluster.kubectl(*what, check=False)
        if logs.returncode:
            raise AssertionError(logs.stderr)
        return [json.loads(line) for line in logs.stdout.splitlines() if line.startswith("{")]


def injected_version(pod: Object) -> str:
    """Of which release a pod's sidecar is."""
    version: str = pod["metadata"]["annotations"].get(labels.INJECTED, "")
    return version


def _await(condition: str, flow: str) -> tuple[str, ...]:
    name, _, status = condition.partition("=")
    waited = f"--for=condition={name}={status or 'True'}"
    return "wait", waited, f"dataflow/{flow}", f"--namespace={NAMESPACE}", f"--timeout={SECONDS:.0f}s"


def _flowing(records: list[Object]) -> bool:
    """Whether between the first and the last record calls of every kind got through."""
    if len(records) < 2:
        return False
    first, last = records[0], records[-1]
    return all(last[kind].get("ok", 0) > first[kind].get("ok", 0) for kind in _kinds(last))


def _kinds(record: Object) -> list[str]:
    return [name for name in record if name != "at"]
