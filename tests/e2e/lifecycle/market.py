"""A market: one client that keeps calling, and servers; what tests do to them, and what became of the calls."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import PORT, deployment
from tests.support import declared_shop
from tests.support.cluster import Cluster
from tests.support.waiting import eventually

from lawflow.mesh.endpoint import ready_addresses
from lawflow.model.sidecar import CONTAINER

Object = dict[str, Any]

PEER = ("/usr/bin/python3", "/app/peer.py")
CHARGE = {"customer": {"id": "c-17"}, "amount": 12}
ANSWERED = re.compile(r'"status": 200,.*URI=spiffe://cluster\.local/ns/market/sa/client')
"""What a client prints whose request came through both sidecars."""
SECONDS_OF_GRACE = 3
"""How long an app goes on serving when it is to end: every sidecar has heard by then that it takes no more calls."""
REQUESTS_TO_JUDGE_BY = 40
SECONDS_TO_SETTLE = 120.0


def flow(namespace: str, name: str, source: str, service: str, **changed: Any) -> Object:
    """A lawful flow by which ``source`` may charge at ``service``; other fields of ``spec`` as given."""
    found = declared_shop.lawful_flow(namespace)
    found["metadata"]["name"] = name
    found["spec"]["source"] = {"serviceAccountName": source}
    found["spec"]["destination"]["service"] = {"name": service, "port": PORT}
    found["spec"] |= changed
    return found


def place(namespace: str) -> list[Object]:
    """A namespace that opted in, and who is responsible there."""
    return [each for each in declared_shop.declared(namespace) if each["kind"] in ("Namespace", "DataController")]


def account(namespace: str, name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def service(namespace: str, name: str, **spec: Any) -> Object:
    """A Service for the pods of the workload of its name."""
    spec = {"selector": {"app": name}, "ports": [{"port": PORT}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def workload(
    namespace: str, name: str, *arguments: str, run_as: str = "", replicas: int = 1, **container: Any
) -> Object:
    """A Deployment of the app; ``run_as`` is a service account with another name, other fields are the container's."""
    made = deployment(name, *arguments)
    made["metadata"]["namespace"] = namespace
    made["spec"]["replicas"] = replicas
    spec = made["spec"]["template"]["spec"]
    spec["serviceAccountName"] = run_as or name
    spec["containers"][0] |= container
    return made


def server(namespace: str, name: str, replicas: int = 1) -> Object:
    """A Deployment that serves as a careful user lets it: with a probe, and some grace at its end."""
    return workload(
        namespace, name, "serve", str(PORT), replicas=replicas,
        readinessProbe={"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        lifecycle={"preStop": {"sleep": {"seconds": SECONDS_OF_GRACE}}},
    )  # fmt: skip


def charging(namespace: str, service: str) -> tuple[str, str, str]:
    """Arguments of the app for a declared request to a Service."""
    return "POST", f"http://{service}.{namespace}.svc:{PORT}/charges/c-17", json.dumps(CHARGE)


@dataclass(frozen=True)
class Market:
    """A namespace on a cluster."""

    cluster: Cluster
    namespace: str

    def apply(self, *objects: Object) -> None:
        self.cluster.apply(*objects)

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """What kubectl prints in this namespace."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, **options).stdout

    def get(self, *arguments: str) -> Object:
        return self.cluster.get(*arguments, f"--namespace={self.namespace}")

    def rolled_out(self, *workloads: str) -> None:
        """Waits until workloads, written ``deployment/NAME``, run as they were last applied."""
        for name in workloads:
            self.kubectl(
                "rollout", "status", name, f"--timeout={SECONDS_TO_SETTLE:.0f}s", seconds=SECONDS_TO_SETTLE + 30
            )

    def ready(self, *flows: str) -> None:
        """Waits until flows are lawful, have credentials, and are in force."""
        for name in flows:
            self.kubectl("wait", "--for=condition=Ready", f"dataflow/{name}", "--timeout=60s", seconds=90.0)

    def pods(self, app: str) -> list[Object]:
        """The pods of a workload that are not ending."""
        found = self.get("pods", f"--selector=app={app}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def settled(self, app: str, replicas: int) -> bool:
        """Whether a workload has so many pods, and none that is still ending."""
        return len(self.get("pods", f"--selector=app={app}")["items"]) == len(self.pods(app)) == replicas

    def endpoints(self, service: str) -> set[str]:
        """Addresses of the ready pods behind a Service."""
        slices = self.get("endpointslices", f"--selector=kubernetes.io/service-name={service}")["items"]
        return set(ready_addresses(slices))

    def call(self, workload: str, *request: str) -> Object:
        """What the app of a workload, written ``deploy/NAME``, gets for a request."""
        told: Object = json.loads(self.kubectl("exec", workload, "--container=app", "--", *PEER, "call", *request))
        return told

    def answered(self, workload: str, *request: str) -> Object:
        """The same, once it is let through: of who is called a sidecar hears a moment after the Service does."""

        def look() -> Object | None:
            found = self.call(workload, *request)
            return found if found["status"] == 200 else None

        return eventually(look, f"an answer to {workload}", seconds=SECONDS_TO_SETTLE)

    def address(self, app: str) -> str:
        """Of the only pod of a workload."""
        (pod,) = self.pods(app)
        return str(pod["status"]["podIP"])

    @contextmanager
    def undisturbed(self, *clients: str) -> Iterator[None]:
        """Fails if a request of clients (Deployments of ``load``) fails during the block, or right after it."""
        before = {client: self._count(client) for client in clients}
        yield
        for client, (_, failed) in before.items():
            new = Counter(self.more_requests(client)[1]) - Counter(failed)
            assert not new, f"requests of {client} failed, so often each: {dict(new)}"

    def heals(self, client: str) -> None:
        """Waits until a client's requests succeed again, one after the other."""

        def look() -> bool:
            _, failed = self._count(client)
            return self.more_requests(client)[1] == failed

        eventually(look, f"requests of {client} that all succeed", seconds=SECONDS_TO_SETTLE)

    def more_requests(self, client: str, count: int = REQUESTS_TO_JUDGE_BY) -> tuple[int, Mapping[str, int]]:
        """The counts once so many more requests were made."""
        enough = self._count(client)[0] + count

        def look() -> tuple[int, Mapping[str, int]] | None:
            found = self._count(client)
            return found if found[0] >= enough else None

        return eventually(look, f"{count} more requests of {client}", seconds=60.0 + count / 2)

    def _count(self, client: str) -> tuple[int, Mapping[str, int]]:
        """Requests that a client has made so far, and what those that failed got."""

        def look() -> tuple[int, Mapping[str, int]] | None:
            last = self.kubectl("logs", f"deployment/{client}", "--container=app", "--tail=1", check=False)
            told = json.loads(last) if last.endswith("}\n") else None
            return told and (told["sent"], told["failed"])

        return eventually(look, f"counts of {client}")


def restarts(pod: Object) -> dict[str, int]:
    """How often each container of a pod was restarted."""
    return {each["name"]: each["restartCount"] for each in _statuses(pod)}


def container_id(pod: Object, container: str) -> str:
    (found,) = (each["containerID"] for each in _statuses(pod) if each["name"] == container)
    return str(found)


def is_ready(pod: Object) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])


def has_sidecar(pod: Object) -> bool:
    return any(each["name"] == CONTAINER for each in pod["spec"].get("initContainers") or ())


def _statuses(pod: Object) -> list[Object]:
    return [*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]]
