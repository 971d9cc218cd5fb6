"""The admission server with 1,000 flows: CPU a review, reviews a second, and what it adds to the creation of a pod.

The server runs as its users run it, as a process that watches a real API server. First it is driven alone, over TLS
connections that stay open; its CPU time is read from the kernel, in batches, so that neighbours on the machine and
the driver itself do not count. Then pods are created through the API server, twenty a second by ten clients: without
webhooks, with one that gives every pod the same patch unseen, with ours, and with ours and the policies. All in one run
on one API server, in small rounds that take turns, so that what else the machine does burdens all alike. The clients
either take even turns, or create all at the same moment, which two cores can only work off one after the other.

What bounds it: a plain injector, which looks at nothing, adds more than half of what ours adds. It is the API server's
own work for the call and for a larger pod. All at once, that alone exceeds ten milliseconds at the 99th percentile on
two cores. Prints JSON lines.
"""

import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.support.cluster import Cluster
from tests.support.control_plane import open_cluster
from tests.support.flows import flow, references
from tests.support.gate import AdmissionServer, backstop, definitions, namespace, pod, webhooks, workload, write_index
from tests.support.injected_pods import injected
from tests.support.pods import stored
from tests.support.review_client import cpu_seconds, resident_mebibytes, send
from tests.support.reviews import request
from tests.support.waiting import eventually

from lawflow.model.kinds import POD
from lawflow.store.kubernetes import KubernetesStore

NAMESPACES = tuple(f"bench-{number}" for number in range(20))
FLOWS_A_NAMESPACE = 50
BATCHES, BATCH = 50, 200
CLIENTS, SECONDS_BETWEEN_CREATIONS = 10, 0.5
CREATIONS_A_ROUND = 12
ROUNDS = 5

ARMS = ("no_webhook", "plain_injector", "webhook", "webhook_and_policies")

Object = dict[str, Any]


def main() -> None:
    """Measure and print."""
    cluster = open_cluster()
    server = AdmissionServer(cluster)
    try:
        with definitions(cluster):
            _fill(cluster)
            server.start()
            for name, obj in _reviewed().items():
                print(json.dumps({"benchmark": "admission", "review": name, **_alone(server, obj)}), flush=True)
            for at_once in (False, True):
                found = _through_the_api_server(cluster, server, at_once=at_once)
                print(json.dumps({"benchmark": "admission", **found}), flush=True)
    finally:
        server.close()
        cluster.close()


def _fill(cluster: Cluster) -> None:
    for name in NAMESPACES:
        cluster.apply(namespace(name, **{"lawflow.dev/inject": "enabled"}), *references(name))
        numbers = range(FLOWS_A_NAMESPACE)
        cluster.apply(*(flow(f"flow-{number}", name, f"account-{number}") for number in numbers))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "account-0", "namespace": name}}
        cluster.apply(account)
        write_index(cluster, name, lawful="".join(f",flow-{number}/account-{number}" for number in numbers) + ",")


def _reviewed() -> dict[str, Object]:
    """Objects as the API server stores them, so that their size is real."""
    deployment = workload("orders", NAMESPACES[0], "account-7")
    edited = {**deployment, "spec": {**deployment["spec"], "replicas": 3}}
    return {
        "pod_gets_a_sidecar": request(stored(pod("orders", NAMESPACES[0], "account-7"))),
        "pod_has_its_sidecar": request(stored(injected(pod("orders", NAMESPACES[0], "account-7")))),
        "deployment_is_edited": request(edited, deployment),
    }


def _alone(server: AdmissionServer, asked: Object) -> Object:
    assert server.process is not None
    pid = server.process.pid
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
    body = json.dumps(review).encode()
    asyncio.run(send(server, [body] * BATCH * 5))
    costs, took = [], []
    start = time.perf_counter()
    for _ in range(BATCHES):
        before = cpu_seconds(pid)
        took += asyncio.run(send(server, [body] * BATCH))
        costs.append((cpu_seconds(pid) - before) / BATCH)
    elapsed = time.perf_counter() - start
    median = statistics.median(costs)
    return {
        "flows": len(NAMESPACES) * FLOWS_A_NAMESPACE,
        "body_bytes": len(body),
        "cpu_milliseconds_a_review_median": 1000 * median,
        "reviews_a_second_a_core": 1 / median,
        "reviews_a_second_driven": len(took) / elapsed,
        "latency_milliseconds": _quantiles(took),
        "resident_mebibytes": resident_mebibytes(pid),
    }


def _through_the_api_server(cluster: Cluster, server: AdmissionServer, *, at_once: bool) -> Object:
    took: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for _ in range(ROUNDS):
        for arm, samples in took.items():
            with ExitStack() as stack:
                if arm == "webhook_and_policies":
                    stack.enter_context(backstop(cluster))
                if arm == "plain_injector":
                    stack.enter_context(_plain_injector(cluster, server))
                elif arm != "no_webhook":
                    stack.enter_context(webhooks(cluster, server))
                samples += asyncio.run(_create_pods(cluster, at_once=at_once))
            _delete_pods(cluster)
    found = {arm: _quantiles(samples) for arm, samples in took.items()}
    bare = found["no_webhook"]
    added = {
        arm: {quantile: quantiles[quantile] - bare[quantile] for quantile in bare}
        for arm, quantiles in found.items()
        if arm != "no_webhook"
    }
    ratio = added["webhook_and_policies"]["p50"] / added["plain_injector"]["p50"]
    return {
        "clients": "all at once" if at_once else "in even turns",
        "creations": len(took["no_webhook"]),
        "creation_milliseconds": found,
        "added_milliseconds": added,
        "added_to_that_of_the_plain_injector_p50": ratio,
    }


@contextmanager
def _plain_injector(cluster: Cluster, server: AdmissionServer) -> Iterator[None]:
    """The peer in place of our admission server, under the very configuration of ours."""
    server.end()
    patch = server.pair.key.with_name("patch.json")
    patch.write_text(json.dumps(_constant_patch()))
    files = [str(file) for file in (server.pair.certificate, server.pair.key, patch)]
    command = [sys.executable, "-m", "bench.plain_injector", str(server.port), *files]
    with subprocess.Popen(command) as peer:
        try:
            eventually(lambda: _listens(server.port), "the plain injector listening")
            with webhooks(cluster, server):
                yield
        finally:
            peer.kill()
    server.start()


def _constant_patch() -> list[Object]:
    """What our injection adds to a pod that holds nothing but its app and its token."""
    made = injected(pod("orders", NAMESPACES[0], "account-0"))
    return [
        {"op": "add", "path": "/metadata/annotations", "value": made["metadata"]["annotations"]},
        {"op": "add", "path": "/spec/initContainers", "value": made["spec"]["initContainers"]},
        *({"op": "add", "path": "/spec/volumes/-", "value": volume} for volume in made["spec"]["volumes"]),
    ]


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


async def _create_pods(cluster: Cluster, *, at_once: bool) -> list[float]:
    async with await KubernetesStore.connect(cluster.admin.kubeconfig) as store:

        async def create() -> float:
            start = time.perf_counter()
            await store.create(POD, pod("orders-", NAMESPACES[0], "account-0"))
            return time.perf_counter() - start

        async def client(number: int) -> list[float]:
            began = begin + (0 if at_once else number * SECONDS_BETWEEN_CREATIONS / CLIENTS)
            took = []
            for turn in range(CREATIONS_A_ROUND):
                await asyncio.sleep(max(0.0, began + turn * SECONDS_BETWEEN_CREATIONS - time.perf_counter()))
                took.append(await create())
            return took

        for _ in range(3):
            await asyncio.gather(*(create() for _ in range(CLIENTS)))
        begin = time.perf_counter()
        return [each for took in await asyncio.gather(*map(client, range(CLIENTS))) for each in took]


def _delete_pods(cluster: Cluster) -> None:
    arguments = ("delete", "pods", "--all", f"--namespace={NAMESPACES[0]}", "--grace-period=0", "--force")
    cluster.kubectl(*arguments, "--wait=false", seconds=120)
    eventually(lambda: not cluster.get("pods", "-n", NAMESPACES[0])["items"], "the pods gone")


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": 1000 * cuts[49], "p99": 1000 * cuts[98]}


if __name__ == "__main__":
    main()
