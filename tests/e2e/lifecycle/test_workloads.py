"""Every kind of workload makes its declared calls, and ends as it would without a sidecar."""

import json

import pytest
from tests.e2e.lifecycle.market import (
    ANSWERED,
    Market,
    Object,
    account,
    charging,
    flow,
    has_sidecar,
    is_ready,
    server,
    service,
    workload,
)  # fmt: skip

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SECONDS = 120.0


def job_spec(market: Market, target: str) -> Object:
    """A pod that makes one call and ends."""
    template = workload(market.namespace, "batch", "call", *charging(market.namespace, target))["spec"]["template"]
    template["spec"] |= {"restartPolicy": "Never", "serviceAccountName": "client"}
    return {"backoffLimit": 0, "template": template}


def test_a_job_completes_for_its_sidecar_ends_with_it(market: Market) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": market.namespace}}
    market.apply(job | {"spec": job_spec(market, "server")})
    market.kubectl("wait", "--for=condition=Complete", "job/once", f"--timeout={SECONDS:.0f}s", seconds=SECONDS + 30)
    assert ANSWERED.search(market.kubectl("logs", "job/once", "--container=app"))
    (pod,) = market.get("pods", "--selector=batch.kubernetes.io/job-name=once")["items"]
    assert has_sidecar(pod)
    assert pod["status"]["phase"] == "Succeeded"


def test_a_job_of_a_cron_job_completes(market: Market) -> None:
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job_spec(market, "server")}}
    metadata = {"name": "yearly", "namespace": market.namespace}
    market.apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec})
    market.kubectl("create", "job", "this-year", "--from=cronjob/yearly")
    market.kubectl(
        "wait", "--for=condition=Complete", "job/this-year", f"--timeout={SECONDS:.0f}s", seconds=SECONDS + 30
    )
    assert ANSWERED.search(market.kubectl("logs", "job/this-year", "--container=app"))


def test_a_stateful_set_is_called_by_the_name_of_its_headless_service(market: Market) -> None:
    namespace = market.namespace
    stateful = server(namespace, "store", replicas=2) | {"kind": "StatefulSet"}
    stateful["spec"] |= {"serviceName": "store", "podManagementPolicy": "Parallel"}
    market.apply(
        account(namespace, "store"), account(namespace, "reader"),
        service(namespace, "store", clusterIP="None"), flow(namespace, "reader-to-store", "reader", "store"), stateful,
    )  # fmt: skip
    market.rolled_out("statefulset/store")
    market.apply(workload(namespace, "reader", "load", *charging(namespace, "store")))
    market.rolled_out("deployment/reader")
    market.ready("reader-to-store")
    assert all(has_sidecar(pod) and is_ready(pod) for pod in market.pods("store"))
    callers = {market.answered("deploy/reader", *charging(namespace, "store"))["document"]["caller"] for _ in range(2)}
    assert all("spiffe://cluster.local/ns/market/sa/reader" in caller for caller in callers)
    with market.undisturbed("reader"):
        market.kubectl("rollout", "restart", "statefulset/store")
        market.rolled_out("statefulset/store")
    assert {pod["metadata"]["name"] for pod in market.pods("store")} == {"store-0", "store-1"}
    market.kubectl("delete", "statefulset/store", "deployment/reader", "dataflow/reader-to-store", "--wait=false")


def test_a_daemon_set_has_a_sidecar_on_each_node_and_makes_its_calls(market: Market) -> None:
    agent = workload(market.namespace, "agent", "wait", run_as="client") | {"kind": "DaemonSet"}
    del agent["spec"]["replicas"]
    market.apply(agent)
    market.rolled_out("daemonset/agent")
    assert ANSWERED.search(json.dumps(market.call("daemonset/agent", *charging(market.namespace, "server"))))
    market.kubectl("delete", "daemonset/agent", "--wait=false")
