"""Endpoints: the addresses behind a cluster."""

from collections.abc import Iterable, Mapping
from typing import Any

from lawflow.mesh.envoy import Resource, socket_address

SERVICE_NAME = "kubernetes.io/service-name"
"""Label of an EndpointSlice that names its Service."""


def load_assignment(cluster: str, addresses: Iterable[tuple[str, int]]) -> Resource:
    """A ClusterLoadAssignment with one locality."""
    endpoints = [{"endpoint": {"address": socket_address(address, port)}} for address, port in addresses]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def ready_addresses(slices: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Addresses of the ready endpoints in the EndpointSlices of one Service, each once, in order."""
    return tuple(
        sorted(
            {
                address
                for endpoint_slice in slices
                for endpoint in endpoint_slice.get("endpoints") or ()
                # An unset condition means ready (EndpointConditions in discovery.k8s.io/v1).
                if (endpoint.get("conditions") or {}).get("ready") is not False
                for address in endpoint.get("addresses") or ()
            }
        )
    )
