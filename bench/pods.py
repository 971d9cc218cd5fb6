"""What a sidecar costs a pod on a real node, and what an installation takes.

A one-node cluster of its own, both images, the chart with its defaults and the quickstart of the README. Start-up: a
Deployment of one pod, from its creation until it is available, by turns in a namespace that asks for sidecars and in
one that does not. Memory and CPU are the kubelet's figures of the container ``lawflow-sidecar``. Requests are 200 bytes
of JSON over one connection a thread, from a Python client in a pod, which bounds the load; the first request is that of
a pod that has made none, against the median of those after it. Prints one JSON line; needs root.
"""

import copy
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from tests.support import chart
from tests.support.node import images
from tests.support.node.cluster import NodeCluster, open_node
from tests.support.node.plan import NAME
from tests.support.waiting import eventually

from lawflow.model.sidecar import CONTAINER

Object = dict[str, Any]

NAMESPACE = "quickstart"
QUICKSTART = chart.CHART.parents[1] / "examples" / "quickstart.yaml"
PYTHON = "/opt/lawflow/bin/python"
ROUNDS = 7
FIRST = 5
"""Pods whose first request is measured."""
SECONDS_OF_REST = 20.0
SECONDS_OF_LOAD = 20
THREADS = 4
MEGABYTE = 1_000_000
MEBIBYTE = 2**20

CLIENT = """
import http.client, json, sys, threading, time

seconds, threads = float(sys.argv[1]), int(sys.argv[2])
body = json.dumps({"customer": {"id": "c-17", "born": "1980-02-29"}, "amount": 12, "note": "x" * 120})
took = []

def work(most):
    connection = http.client.HTTPConnection("billing", 8080)
    until = time.monotonic() + seconds
    while most and time.monotonic() < until:
        began = time.monotonic()
        connection.request("POST", "/charges/c-17", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        took.append(1000 * (time.monotonic() - began))
        most -= 1

workers = [threading.Thread(target=work, args=(int(sys.argv[3]),)) for _ in range(threads)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(json.dumps(took))
"""


def main() -> None:
    """Measure."""
    told: Object = {"benchmark": "pods"}
    with tempfile.TemporaryDirectory(prefix="lawflow-bench-") as folder:
        archives = {name: Path(folder, f"{name}.tar") for name in ("operator", "sidecar")}
        sizes = {"operator": images.operator(archives["operator"]), "sidecar": images.sidecar(archives["sidecar"])}
        told["compressed image megabytes"] = {name: size / MEGABYTE for name, size in sizes.items()}
        began = time.monotonic()
        cluster = open_node(lambda text: print(text, file=sys.stderr))
        try:
            minutes = {"cluster": time.monotonic() - began}
            minutes["images onto the node"] = _seconds(lambda: _load(cluster, archives.values()))
            minutes["helm install"] = _seconds(lambda: _install(cluster))
            minutes["quickstart until answered"] = _seconds(lambda: _quickstart(cluster))
            told["seconds from nothing"] = minutes
            told["seconds until a pod is available"] = _availability(cluster)
            told["milliseconds of a request"] = _requests(cluster)
            told["sidecar"] = _sidecars(cluster)
        finally:
            cluster.close()
    print(json.dumps(told))


def _load(cluster: NodeCluster, archives: Iterable[Path]) -> None:
    for archive in archives:
        cluster.load(archive)


def _install(cluster: NodeCluster) -> None:
    chart.helm(
        *("install", "lawflow", str(chart.CHART), f"--namespace={chart.NAMESPACE}", "--create-namespace", "--wait"),
        f"--kubeconfig={cluster.admin.kubeconfig}",
        seconds=300.0,
    )


def _quickstart(cluster: NodeCluster) -> None:
    cluster.kubectl("apply", f"--filename={QUICKSTART}")
    available = f"--for=condition=Available deployment --all --namespace={NAMESPACE} --timeout=120s"
    cluster.kubectl("wait", *available.split(), seconds=150.0)


def _availability(cluster: NodeCluster) -> Object:
    plain = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "plain"}}
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "idle", "namespace": "plain"}}
    injected: Object = copy.deepcopy(account)
    injected["metadata"]["namespace"] = NAMESPACE
    cluster.apply(plain, account, injected)
    took: dict[str, list[float]] = {"without a sidecar": [], "with a sidecar": []}
    for number in range(ROUNDS):
        for kind, namespace in (("without a sidecar", "plain"), ("with a sidecar", NAMESPACE)):
            made = _idle(f"idle-{number}", namespace, "idle")
            took[kind].append(_seconds(lambda made=made: _roll_out(cluster, made)))
            cluster.kubectl("delete", "deployment", made["metadata"]["name"], f"--namespace={namespace}")
    return {kind: {"median": statistics.median(each), "worst": max(each)} for kind, each in took.items()}


def _requests(cluster: NodeCluster) -> Object:
    first, later = [], []
    for number in range(FIRST):
        made = _idle(f"first-{number}", NAMESPACE, "orders")
        _roll_out(cluster, made)
        took = _ask(cluster, made["metadata"]["name"], seconds=60, threads=1, most=200)
        first.append(took[0])
        later.append(statistics.median(took[1:]))
        cluster.kubectl("delete", "deployment", made["metadata"]["name"], f"--namespace={NAMESPACE}")
    return {"first, median": statistics.median(first), "later, median": statistics.median(later)}


def _sidecars(cluster: NodeCluster) -> Object:
    cluster.kubectl("scale", "deployment/orders", "--replicas=0", f"--namespace={NAMESPACE}")
    source = _idle("load", NAMESPACE, "orders")
    _roll_out(cluster, source)
    time.sleep(SECONDS_OF_REST)  # the time over which idling is measured
    before = _usage(cluster)
    time.sleep(SECONDS_OF_REST)
    idle = _usage(cluster)
    requests = len(_ask(cluster, "load", seconds=SECONDS_OF_LOAD, threads=THREADS, most=-1))
    time.sleep(SECONDS_OF_REST)  # the kubelet looks every ten seconds or so
    loaded = _usage(cluster)
    found: Object = {"requests a second": requests / SECONDS_OF_LOAD}
    idling = idle["load"]["at"] - before["load"]["at"]
    for pod, role in (("load", "source"), ("billing", "destination")):
        found[role] = {
            "idle mebibytes": idle[pod]["memory"] / MEBIBYTE,
            "loaded mebibytes": loaded[pod]["memory"] / MEBIBYTE,
            "idle cpu millicores": (idle[pod]["cpu"] - before[pod]["cpu"]) / 1e6 / idling,
            "cpu microseconds a request": (loaded[pod]["cpu"] - idle[pod]["cpu"]) / 1e3 / requests,
        }
    return found


def _usage(cluster: NodeCluster) -> dict[str, Object]:
    """Of the sidecars by the name of their workload: memory in bytes, CPU in nanoseconds, time in seconds."""
    summary = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{NAME}/proxy/stats/summary").stdout)
    return {
        pod["podRef"]["name"].rsplit("-", 2)[0]: {
            "memory": container["memory"]["workingSetBytes"],
            "cpu": container["cpu"]["usageCoreNanoSeconds"],
            "at": time.monotonic(),
        }
        for pod in summary["pods"]
        for container in pod["containers"]
        if pod["podRef"]["namespace"] == NAMESPACE and container["name"] == CONTAINER
    }


def _idle(name: str, namespace: str, account: str) -> Object:
    """A Deployment of one pod that does nothing, like the quickstart's in everything else."""
    (made,) = [
        each
        for each in yaml.safe_load_all(QUICKSTART.read_text(encoding="utf-8"))
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "orders"
    ]
    made["metadata"] = {"name": name, "namespace": namespace}
    made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = {"app": name}
    spec = made["spec"]["template"]["spec"]
    spec["serviceAccountName"] = account
    spec["terminationGracePeriodSeconds"] = 1
    del spec["volumes"], spec["containers"][0]["volumeMounts"], spec["containers"][0]["readinessProbe"]
    spec["containers"][0]["command"] = [PYTHON, "-c", "import time; time.sleep(100000)"]
    return made  # type: ignore[no-any-return]


def _roll_out(cluster: NodeCluster, made: Object) -> None:
    cluster.apply(made)
    where = f"--namespace={made['metadata']['namespace']}"
    cluster.kubectl("rollout", "status", f"deployment/{made['metadata']['name']}", where, "--timeout=120s", seconds=150)


def _ask(cluster: NodeCluster, name: str, *, seconds: int, threads: int, most: int) -> list[float]:
    """Milliseconds of each request that a pod made."""
    arguments = (CLIENT, str(seconds), str(threads), str(most))
    command = ("exec", f"--namespace={NAMESPACE}", f"deployment/{name}", "--container=app", "--", PYTHON, "-c")
    done = eventually(lambda: cluster.kubectl(*command, *arguments, seconds=seconds + 60.0), "an answered client")
    took: list[float] = json.loads(done.stdout)
    return took


def _seconds(work: Any) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
