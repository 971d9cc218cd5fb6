"""Listeners: one for all peers that call in, one a port that the workload may call out to."""

from collections.abc import Container, Sequence

from lawflow.mesh import rbac, tls
from lawflow.mesh.cluster import called_address
from lawflow.mesh.envoy import Resource, extension, socket_address
from lawflow.mesh.http import http_filter_chain
from lawflow.mesh.sidecar import Inbound, MeshSettings, Outbound, PeerPort, Sidecar
from lawflow.model.sidecar import PEER_PORT

INBOUND = "inbound"
BUFFER_BYTES = 1 << 20
CONNECT_ATTEMPTS = 4
"""As often as a request is tried: of a connection that did not come about nothing was said."""
TLS_INSPECTOR = extension(
    "envoy.filters.listener.tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
)


def listeners(sidecar: Sidecar, settings: MeshSettings, certified: Container[str] = ()) -> list[Resource]:
    """The listeners of a sidecar in mode explicit; a workload that nobody may call has none for peers.

    ``certified`` are names of ports at which the sidecar has a certificate to end its app's TLS with. An Envoy that
    waits for one that never comes is never ready, so without one the app is hung up on.
    """
    return [
        *(_outbound(outbound, sidecar, settings, certified) for outbound in sidecar.outbound),
        *inbound_listeners(sidecar, settings),
    ]


def inbound_listeners(sidecar: Sidecar, settings: MeshSettings) -> list[Resource]:
    """The one for all peers, where there are any."""
    return [_inbound(sidecar.inbound, sidecar, settings)] if sidecar.inbound else []


def _inbound(ports: Sequence[Inbound], sidecar: Sidecar, settings: MeshSettings) -> Resource:
    first, *others = (socket_address(each, PEER_PORT) for each in sidecar.placement.reached_at)
    return {
        "name": INBOUND,
        "traffic_direction": "INBOUND",
        "address": first,
        **({"additional_addresses": [{"address": each} for each in others]} if others else {}),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "listener_filters": [TLS_INSPECTOR],
        # No default chain: who names no port that a flow leads to is hung up on.
        "filter_chains": [_inbound_chain(inbound, sidecar, settings) for inbound in ports],
    }


def _inbound_chain(inbound: Inbound, sidecar: Sidecar, settings: MeshSettings) -> Resource:
    port = inbound.port
    name = f"inbound/{port.name}"
    if port.protocol == "tcp":
        filters = [rbac.network_filter(name, port.open_rules), tcp_proxy(name)]
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
    listener: Resource = {
        "name": f"outbound/{port.name}",
        "traffic_direction": "OUTBOUND",
        "address": socket_address(outbound.address, outbound.listening_port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
    }
    own = sidecar.identity.spiffe_id(settings.trust_domain)
    if port.speaks_tls:
        match = {"server_names": [port.service[1]], "transport_protocol": "tls"}
        chain = {"filter_chain_match": match, **chain_by_name(outbound, own, certified)}
        return {**listener, "listener_filters": [TLS_INSPECTOR], "filter_chains": [chain]}
    filters = [tcp_or_closed(port)] if port.protocol == "tcp" else [http_filter_chain(port, "outbound", own, None)]
    return {**listener, "filter_chains": [{"filters": filters}]}


def chain_by_name(outbound: Outbound, spiffe_id: str, certified: Container[str]) -> Resource:
    """The filter chain of an app's TLS to a host outside: it goes through as it is, or is ended where a flow says so.

    ``certified`` as in :func:`listeners`.
    """
    port = outbound.port
    if not port.terminates:
        return {"filters": [tcp_or_closed(port)]}
    if port.name not in certified:
        return {"filters": [hang_up()]}
    return {
        "transport_socket": tls.app_socket(tls.app_secret_name(port.name)),
        "filters": [http_filter_chain(port, "outbound", spiffe_id, None)],
    }


def tcp_or_closed(port: PeerPort, kind: str = "outbound") -> Resource:
    """Plain loopback has no peer certificate to judge by: an open flow passes, without one nothing does.

    ``kind`` is how the name of the cluster begins.
    """
    return tcp_proxy(f"{kind}/{port.name}") if port.open_rules else hang_up()


def hang_up() -> Resource:
    """The network filter that ends every connection at once, and counts it: there is no cluster of that name."""
    return tcp_proxy("closed")


def tcp_proxy(cluster: str) -> Resource:
    """The network filter that passes bytes on to a cluster."""
    return extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=cluster,
        cluster=cluster,
        max_connect_attempts=CONNECT_ATTEMPTS,
    )
