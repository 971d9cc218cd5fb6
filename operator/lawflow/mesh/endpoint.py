"""Endpoints: the addresses behind a cluster."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from lawflow.mesh.envoy import Resource, socket_address
from lawflow.mesh.sidecar import Address

SERVICE_NAME = "kubernetes.io/service-name"
"""Label of an EndpointSlice that names its Service."""


def load_assignment(cluster: str, addresses: Iterable[tuple[str, int]]) -> Resource:
    """A ClusterLoadAssignment with one locality."""
    endpoints = [{"endpoint": {"address": socket_address(address, port)}} for address, port in addresses]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def by_priority(cluster: str, addresses: Iterable[tuple[str, int]]) -> Resource:
    """A ClusterLoadAssignment in which each address serves only while those before it do not."""
    endpoints = [
        {"priority": priority, "lb_endpoints": [{"endpoint": {"address": socket_address(*address)}}]}
        for priority, address in enumerate(addresses)
    ]
    return {"cluster_name": cluster, "endpoints": endpoints}


def ready_addresses(slices: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Addresses of the ready endpoints in the EndpointSlices of one Service, each once, in order."""
    return tuple(sorted({address for endpoint_slice in slices for address in _ready(endpoint_slice)}))


def served_addresses(slices: Iterable[Mapping[str, Any]], port_name: str) -> tuple[Address, ...]:
    """The same, each with the port at which its pod serves the port of the Service that is named so."""
    return tuple(
        sorted(
            {
                (ip_address(address).compressed, port["port"])
                for endpoint_slice in slices
                if endpoint_slice.get("addressType") != "FQDN"
                for port in endpoint_slice.get("ports") or ()
                if (port.get("name") or "") == port_name and port.get("port")
                for address in _ready(endpoint_slice)
            }
        )
    )


def _ready(endpoint_slice: Mapping[str, Any]) -> Iterator[str]:
    for endpoint in endpoint_slice.get("endpoints") or ():
        # An unset condition means ready (EndpointConditions in discovery.k8s.io/v1).
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            yield from endpoint.get("addresses") or ()
