"""Listeners: one for all peers that call in, one a port that the workload may call out to."""

from collections.abc import Container, Sequence

from lawflow.mesh import rbac, tls
from lawflow.mesh.cluster import called_address
from lawflow.mesh.envoy import Resource, extension, socket_address
from lawflow.mesh.http import http_filter_chain
from lawflow.mesh.sidecar import Inbound, MeshSettings, Outbound, Sidecar
from lawflow.model.sidecar import PEER_PORT

INBOUND = "inbound"
_BUFFER_BYTES = 1 << 20
_TLS_INSPECTOR = extension(
    "envoy.filters.listener.tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
)


def listeners(sidecar: Sidecar, settings: MeshSettings, certified: Container[str] = ()) -> list[Resource]:
    """All listeners of a sidecar; a workload that nobody may call has none for peers.

    ``certified`` are names of ports at which the sidecar has a certificate to end its app's TLS with. An Envoy that
    waits for one that never comes is never ready, so without one the app is hung up on.
    """
    found = [_outbound(outbound, sidecar, settings, certified) for outbound in sidecar.outbound]
    if sidecar.inbound:
        found.append(_inbound(sidecar.inbound, sidecar, settings))
    return found


def _inbound(ports: Sequence[Inbound], sidecar: Sidecar, settings: MeshSettings) -> Resource:
    return {
        "name": INBOUND,
        "traffic_direction": "INBOUND",
        "address": socket_address(sidecar.placement.address, PEER_PORT),
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "listener_filters": [_TLS_INSPECTOR],
        # No default chain: who names no port that a flow leads to is hung up on.
        "filter_chains": [_inbound_chain(inbound, sidecar, settings) for inbound in ports],
    }


def _inbound_chain(inbound: Inbound, sidecar: Sidecar, settings: MeshSettings) -> Resource:
    port = inbound.port
    name = f"inbound/{port.name}"
    if port.protocol == "tcp":
        filters = [rbac.network_filter(name, port.open_rules), _tcp_proxy(name)]
    else:
        own = sidecar.identity.spiffe_id(settings.trust_domain)
        filters = [called_address(), http_filter_chain(port, "inbound", own, settings.max_connection_duration)]
    return {
        "name": name,
        "filter_chain_match": {"server_names": [port.server_name], "transport_protocol": "tls"},
        "transport_socket": tls.downstream_socket(name, sidecar.placement.certificate_directory),
        "filters": filters,
    }


def _outbound(outbound: Outbound, sidecar: Sidecar, settings: MeshSettings, certified: Container[str]) -> Resource:
    port = outbound.port
    name = f"outbound/{port.name}"
    if port.protocol == "tcp":
        own = sidecar.identity.spiffe_id(settings.trust_domain)
        # Plain loopback has no peer certificate to judge by: an open flow passes, without one nothing does.
        filters = [*(() if port.open_rules else [_nobody(own)]), _tcp_proxy(name)]
        if port.external:
            return _by_name(outbound, filters, {})
    else:
        own = sidecar.identity.spiffe_id(settings.trust_domain)
        filters = [http_filter_chain(port, "outbound", own, None)]
        if port.terminates and port.name not in certified:
            return _by_name(outbound, [_nobody(own), _tcp_proxy(name)], {})
        if port.terminates:
            return _by_name(outbound, filters, {"transport_socket": tls.app_socket(tls.app_secret_name(port.name))})
    return {
        "name": name,
        "traffic_direction": "OUTBOUND",
        "address": socket_address(outbound.address, outbound.listening_port),
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [{"filters": filters}],
    }


def _nobody(stat_prefix: str) -> Resource:
    return rbac.network_filter(stat_prefix, ())


def _by_name(outbound: Outbound, filters: list[Resource], ended: Resource) -> Resource:
    """TLS from the app to a host outside, where it asks for that host; it goes through as it is unless it is ended."""
    name = outbound.port.service[1]
    return {
        "name": f"outbound/{outbound.port.name}",
        "traffic_direction": "OUTBOUND",
        "address": socket_address(outbound.address, outbound.listening_port),
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "listener_filters": [_TLS_INSPECTOR],
        "filter_chains": [
            {"filter_chain_match": {"server_names": [name], "transport_protocol": "tls"}, "filters": filters, **ended}
        ],
    }


def _tcp_proxy(cluster: str) -> Resource:
    return extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=cluster,
        cluster=cluster,
    )
