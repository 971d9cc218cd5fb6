"""Loopback addresses for declared destinations: host aliases point at them, the sidecar listens on them.

Injection writes an address into a pod once; the mesh renders listeners for it for as long as the pod lives. So the
address of a destination must not depend on which other flows exist: it is a hash of the destination's host.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address

from lawflow.model.dataflow import DataFlow

CLUSTER_DOMAIN = "cluster.local"

# 127.0.0.0/16 stays free: 127.0.0.1, the stub resolvers on 127.0.0.53 and the host's own name on 127.0.1.1 live there.
_FIRST = int(IPv4Address("127.1.0.0"))
_COUNT = int(IPv4Address("127.255.0.0")) - _FIRST


@dataclass(frozen=True, order=True)
class LoopbackDestination:
    """A host that an app calls, the address that stands for it in the pod, and the ports that flows declare on it."""

    host: str
    """NAME.NAMESPACE.svc for a Service, else the external DNS name."""
    names: tuple[str, ...]
    """Every name by which the app may call it, in lower case."""
    ports: tuple[int, ...]
    address: str


def loopback_destinations(
    flows: Iterable[DataFlow], cluster_domain: str = CLUSTER_DOMAIN, workload: str = ""
) -> tuple[LoopbackDestination, ...]:
    """The destinations of one service account's flows, by host, each with an address of its own.

    ``workload`` tells apart workloads that share one network, as on a host without pods; leave it empty in pods.
    """
    names: dict[str, set[str]] = {}
    ports: dict[str, set[int]] = {}
    for flow in flows:
        host, called, port = _called(flow, cluster_domain)
        names.setdefault(host, set()).update(called)
        ports.setdefault(host, set()).add(port)
    addresses = loopback_addresses(names, workload)
    return tuple(
        LoopbackDestination(host, tuple(sorted(names[host])), tuple(sorted(ports[host])), addresses[host])
        for host in sorted(names)
    )


def loopback_addresses(hosts: Iterable[str], workload: str = "") -> dict[str, str]:
    """A distinct address in 127.0.0.0/8 for each host: its hash, or the next free one after it."""
    taken: dict[int, str] = {}
    for host in sorted(set(hosts)):
        offset = int.from_bytes(sha256(f"{workload}\0{host}".encode()).digest()[:8]) % _COUNT
        while _FIRST + offset in taken:
            offset = (offset + 1) % _COUNT
        taken[_FIRST + offset] = host
    return {host: str(IPv4Address(address)) for address, host in taken.items()}


def _called(flow: DataFlow, cluster_domain: str) -> tuple[str, tuple[str, ...], int]:
    destination = flow.spec.destination
    if destination.external is not None:
        host = destination.external.host.lower().rstrip(".")
        return host, (host,), destination.external.called_port
    service = destination.service
    assert service is not None, "the schema asks for exactly one of service and external"
    namespace = service.namespace or flow.metadata.namespace
    short = f"{service.name}.{namespace}"
    names: tuple[str, ...] = (short, f"{short}.svc", f"{short}.svc.{cluster_domain}")
    if namespace == flow.metadata.namespace:
        names = (service.name, *names)
    return f"{short}.svc", names, service.port
