"""What happens to pods in every cluster, under load: none of it fails a declared request, or it heals by itself."""

import pytest
from tests.e2e.lifecycle.market import Market, container_id, is_ready, restarts, workload
from tests.support.node.processes import kill_container
from tests.support.waiting import eventually

from lawflow.model.sidecar import CONTAINER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROUNDS = 20


def test_a_rolling_update_fails_no_request(market: Market) -> None:
    before = {pod["metadata"]["name"] for pod in market.pods("server")}
    with market.undisturbed("client", "passer"):
        market.kubectl("rollout", "restart", "deployment/server")
        market.rolled_out("deployment/server")
        eventually(lambda: market.settled("server", 2), "the old pods are gone", seconds=60.0)
    assert before.isdisjoint(pod["metadata"]["name"] for pod in market.pods("server"))


def test_scaling_up_and_down_fails_no_request(market: Market) -> None:
    with market.undisturbed("client", "passer"):
        for replicas in (4, 1, 2):
            market.kubectl("scale", "deployment/server", f"--replicas={replicas}")
            market.rolled_out("deployment/server")
            eventually(lambda: market.settled("server", replicas), f"{replicas} pods, and none that ends", 60.0)  # noqa: B023


def test_an_eviction_fails_no_request(market: Market) -> None:
    evicted = market.pods("server")[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": evicted}}
    path = f"/api/v1/namespaces/{market.namespace}/pods/{evicted}/eviction"
    with market.undisturbed("client", "passer"):
        market.cluster.kubectl("create", "--raw", path, "--filename=-", input=eviction)
        market.kubectl("wait", "--for=delete", f"pod/{evicted}", "--timeout=60s", seconds=90.0)
        market.rolled_out("deployment/server")


def test_a_request_goes_to_another_pod_where_an_app_does_not_listen(market: Market) -> None:
    deaf = workload(market.namespace, "deaf", "wait", run_as="server")
    deaf["spec"]["template"]["metadata"]["labels"] = deaf["spec"]["selector"]["matchLabels"] = {"deaf": "yes"}
    behind_the_service = {"metadata": {"labels": {"app": "server"}}}
    market.apply(deaf)
    try:
        market.rolled_out("deployment/deaf")
        (pod,) = market.get("pods", "--selector=deaf=yes")["items"]
        name, address = pod["metadata"]["name"], pod["status"]["podIP"]
        with market.undisturbed("client"):
            market.cluster.patch("pod", name, behind_the_service, f"--namespace={market.namespace}")
            eventually(lambda: address in market.endpoints("server"), "the Service leads to it")
            market.more_requests("client", 500)
    finally:
        market.kubectl("delete", "deployment/deaf", "--cascade=foreground", "--wait", seconds=90.0)


@pytest.mark.parametrize("container", [CONTAINER, "app"])
def test_a_container_that_is_killed_comes_back_by_itself_and_harms_no_other_pod(market: Market, container: str) -> None:
    killed, other = market.pods("server")
    with market.undisturbed("passer"):
        kill_container(container_id(killed, container))

        def returned() -> bool:
            now = market.get("pod", killed["metadata"]["name"])
            return restarts(now)[container] > restarts(killed)[container] and is_ready(now)

        eventually(returned, f"a new {container} in the same pod, and the pod Ready", seconds=120.0)
        market.heals("client")
    others = {name: count for name, count in restarts(killed).items() if name != container}
    assert others.items() <= restarts(market.get("pod", killed["metadata"]["name"])).items()
    assert restarts(market.get("pod", other["metadata"]["name"])) == restarts(other)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_rounds_of_updates_and_evictions_fail_no_request(market: Market) -> None:
    for _ in range(ROUNDS):
        test_a_rolling_update_fails_no_request(market)
        test_an_eviction_fails_no_request(market)
        test_scaling_up_and_down_fails_no_request(market)
