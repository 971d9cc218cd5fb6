"""What a NetworkPolicy would close: what it says, and that without an enforcer the port is open and told of."""

import functools

import pytest
from tests.e2e.drills.conftest import Drilled
from tests.support.drill_shop import FLOWS, NAMESPACE, SECONDS, workload
from tests.support.traffic_app import HTTP_PORT, TCP_PORT
from tests.support.waiting import eventually

from lawflow.controller.network_policy import MANAGED_BY
from lawflow.model.sidecar import HEALTH_PORT, PEER_PORT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PAST_THE_SIDECAR = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
connection.request("POST", "/anything", '{"birthday": "1980-02-29"}')
print(connection.getresponse().read().decode())
"""


@pytest.mark.parametrize(("service", "port"), [("billing", HTTP_PORT), ("database", TCP_PORT)])
def test_a_receivers_policy_leaves_open_all_but_its_own_port(drilled: Drilled, service: str, port: int) -> None:
    policy = drilled.cluster.get("networkpolicy", f"lawflow-{service}", f"--namespace={NAMESPACE}")
    assert MANAGED_BY.items() <= policy["metadata"]["labels"].items()
    spec = policy["spec"]
    assert spec["podSelector"] == {"matchLabels": {"app": "billing"}}
    assert spec["policyTypes"] == ["Ingress"]
    (rule,) = spec["ingress"]
    assert set(rule) == {"ports"}, "from anywhere"
    ranges = [each for each in rule["ports"] if each["protocol"] == "TCP"]

    def is_open(number: int) -> bool:
        return any(each["port"] <= number <= each["endPort"] for each in ranges)

    assert [number for number in range(1, 65536) if not is_open(number)] == [port]
    assert is_open(PEER_PORT)
    assert is_open(HEALTH_PORT)


def test_without_an_enforcer_the_port_is_open_and_status_says_so(drilled: Drilled) -> None:
    """The network of this node enforces no NetworkPolicy, and mode explicit closes nothing by itself."""
    cluster = drilled.cluster
    (billing,) = drilled.shop.pods("billing")
    cluster.apply(workload("outsider", "wait", account="default", namespace="default"))
    where = ("--namespace=default", f"--timeout={SECONDS:.0f}s")
    cluster.kubectl("rollout", "status", "deployment/outsider", *where, seconds=SECONDS)
    try:
        told = cluster.kubectl(
            *("exec", "--namespace=default", "deploy/outsider", "--", "/usr/bin/python3", "-c", PAST_THE_SIDECAR),
            *(billing["status"]["podIP"], str(HTTP_PORT)),
        ).stdout
        assert "birthday" in told, "an undeclared field of an undeclared caller arrived"
    finally:
        cluster.kubectl("delete", "deployment", "outsider", "--namespace=default")
    for flow in FLOWS:
        eventually(functools.partial(_told, drilled, flow), "a status that says so", SECONDS)


def _told(drilled: Drilled, flow: str) -> bool:
    return drilled.shop.condition("Enforced", flow) == ("True", "DirectPortOpen")
