"""Loopback addresses for declared destinations."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawflow.model.dataflow import DataFlow
from lawflow.model.loopback import loopback_addresses, loopback_destinations
from lawflow.model.parse import parse

pytestmark = pytest.mark.unit

hosts = st.lists(st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True), max_size=20)


def flow(name: str = "f", **destination: Any) -> DataFlow:
    found = parse(
        {
            "apiVersion": "lawflow.dev/v1alpha1",
            "kind": "DataFlow",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "source": {"serviceAccountName": "orders"},
                "destination": {"role": "processor", **destination},
            },
        }
    )
    assert isinstance(found, DataFlow)
    return found


def service(name: str, port: int = 8080, **more: Any) -> DataFlow:
    return flow(service={"name": name, "port": port, **more})


def external(host: str, port: int = 443) -> DataFlow:
    return flow(external={"host": host, "port": port, "organisation": "PSP"})


@given(hosts)
def test_every_host_has_an_address_of_its_own_on_loopback(found: list[str]) -> None:
    addresses = loopback_addresses(found)
    assert set(addresses) == set(found)
    assert len(set(addresses.values())) == len(set(found))
    assert all(ip_address(each) in ip_network("127.0.0.0/8") for each in addresses.values())
    assert not any(ip_address(each) in ip_network("127.0.0.0/16") for each in addresses.values())


@given(hosts)
def test_the_order_of_hosts_does_not_matter(found: list[str]) -> None:
    assert loopback_addresses(found) == loopback_addresses(reversed(found))


def test_a_new_destination_leaves_the_addresses_of_the_others_in_place() -> None:
    before = loopback_addresses(["b.example", "c.example"])
    after = loopback_addresses(["a.example", "b.example", "c.example"])
    assert before.items() <= after.items()


def test_an_address_is_the_same_in_every_process_and_release() -> None:
    # Pods keep their host aliases for life: this pin breaks when a change would strand them.
    assert loopback_addresses(["api.psp.example"]) == {"api.psp.example": "127.90.174.228"}


def test_workloads_that_share_a_network_have_different_addresses() -> None:
    assert loopback_addresses(["a.example"], "shop/orders") != loopback_addresses(["a.example"], "shop/billing")


def test_a_service_is_called_by_all_its_names_and_by_its_bare_one_only_in_its_own_namespace() -> None:
    near, far = loopback_destinations([service("billing"), service("crm", namespace="sales")])
    assert near.host == "billing.shop.svc"
    assert near.names == ("billing", "billing.shop", "billing.shop.svc", "billing.shop.svc.cluster.local")
    assert far.names == ("crm.sales", "crm.sales.svc", "crm.sales.svc.cluster.local")


def test_flows_to_one_host_share_its_address() -> None:
    (found,) = loopback_destinations([service("billing", 443), service("billing", 80), service("billing", 443)])
    assert found.ports == (80, 443)


def test_an_external_host_is_called_by_its_name_without_the_dot_of_the_root() -> None:
    (found,) = loopback_destinations([external("api.psp.example.")])
    assert (found.host, found.names, found.ports) == ("api.psp.example", ("api.psp.example",), (80,))


def test_another_cluster_domain_changes_the_long_name() -> None:
    (found,) = loopback_destinations([service("billing")], cluster_domain="corp.local")
    assert "billing.shop.svc.corp.local" in found.names
