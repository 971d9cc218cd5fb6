"""A receiver's NetworkPolicy closes the declared port and nothing else."""

import pytest
from tests.support import merchant

from lawflow.controller.network_policy import network_policy
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit


def tcp_ranges(policy: Object | None) -> list[tuple[int, int]]:
    assert policy
    (rule,) = policy["spec"]["ingress"]
    return [(port["port"], port["endPort"]) for port in rule["ports"] if port["protocol"] == "TCP"]


def test_every_port_but_the_declared_one_stays_open() -> None:
    policy = network_policy(merchant.service("finance", "billing"), [8080])
    assert tcp_ranges(policy) == [(1, 8079), (8081, 65535)]
    assert policy
    assert policy["spec"]["podSelector"] == {"matchLabels": {"app": "billing"}}
    assert policy["metadata"]["name"] == "lawflow-billing"


def test_it_is_the_target_port_that_is_closed() -> None:
    service = merchant.service("finance", "billing", 80)
    service["spec"]["ports"][0]["targetPort"] = 9000
    assert tcp_ranges(network_policy(service, [80])) == [(1, 8999), (9001, 65535)]


def test_neighbouring_ports_and_the_edges_leave_no_empty_range() -> None:
    service = merchant.service("finance", "billing")
    service["spec"]["ports"] = [{"port": port} for port in (1, 2, 65535)]
    assert tcp_ranges(network_policy(service, [1, 2, 65535])) == [(3, 65534)]


def test_the_sidecars_own_port_is_never_closed() -> None:
    assert network_policy(merchant.service("finance", "billing", 15443), [15443]) is None


def test_a_service_without_selector_or_with_a_named_target_gets_none() -> None:
    headless = merchant.service("finance", "billing")
    del headless["spec"]["selector"]
    named = merchant.service("finance", "billing")
    named["spec"]["ports"][0]["targetPort"] = "http"
    assert network_policy(headless, [8080]) is None
    assert network_policy(named, [8080]) is None
