"""Clusters: the peers behind a port that the workload calls, and the workload itself behind a port that it serves."""

from lawflow.mesh import tls
from lawflow.mesh.endpoint import load_assignment
from lawflow.mesh.envoy import ADS, Resource, extension, seconds, typed
from lawflow.mesh.route import leaves
from lawflow.mesh.sidecar import Inbound, MeshSettings, Outbound, PeerPort, Sidecar
from lawflow.model.sidecar import PEER_PORT

CONNECT_TIMEOUT = "2s"
UNLIMITED = {
    "thresholds": [dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 2**32 - 1)]
}
"""By itself an Envoy turns away what is more than 1,024 requests, or 3 that are tried again, at a time. How much an app
bears is for the app to say."""
_LOCAL = "127.0.0.1"
_RESOLVER = extension(
    "envoy.network.dns_resolver.cares",
    "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
    query_timeout_seconds=1,
    query_tries=2,
    dns_resolver_options={"no_default_search_domain": True},
)
"""An Envoy is ready once each name was looked up: so a name server that is silent holds it up for 3 s, and not for a
minute, as c-ares would have it. Hosts outside are absolute names, which no search domain of a pod is tried for."""


def outbound_cluster(outbound: Outbound, sidecar: Sidecar, settings: MeshSettings) -> Resource:
    """The sidecars of the workloads behind a Service, by EDS."""
    name = f"outbound/{outbound.port.name}"
    if leaves(outbound.port, "outbound"):
        return _external_cluster(name, outbound.port)
    directory = sidecar.placement.certificate_directory
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": UNLIMITED,
        "transport_socket": tls.upstream_socket(outbound.port.server_name, name, directory),
        # The caller ends a connection before the called side would, which could cross a request on its way.
        "typed_extension_protocol_options": _protocol(settings.max_connection_duration * 0.8),
    }


def direct_cluster(outbound: Outbound, sidecar: Sidecar, settings: MeshSettings) -> Resource:
    """The sidecar of the very pod that the app called; only addresses of the Service's pods lead here."""
    found = outbound_cluster(outbound, sidecar, settings)
    del found["eds_cluster_config"]
    return {
        **found,
        "name": f"direct/{outbound.port.name}",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"upstream_port_override": PEER_PORT},
    }


def inbound_clusters(inbound: Inbound) -> list[Resource]:
    """The workload itself; at the egress gateway, the host outside.

    A workload may listen on loopback alone, where nobody gets past the sidecar, or on the pod's address alone. So the
    one is tried first, and the other where nobody listens there; TCP is tried on loopback alone.
    """
    name = f"inbound/{inbound.port.name}"
    if leaves(inbound.port, "inbound"):
        return [_external_cluster(name, inbound.port)]
    loopback: Resource = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": UNLIMITED,
        "load_assignment": load_assignment(name, [(_LOCAL, inbound.local_port)]),
        "typed_extension_protocol_options": _protocol(None),
    }
    if inbound.port.protocol == "tcp":
        return [loopback]
    first, second = f"{name}/loopback", f"{name}/called"
    return [
        {
            "name": name,
            "cluster_type": extension(
                "envoy.clusters.composite",
                "envoy.extensions.clusters.composite.v3.ClusterConfig",
                clusters=[{"name": first}, {"name": second}],
            ),
            "lb_policy": "CLUSTER_PROVIDED",
            "connect_timeout": CONNECT_TIMEOUT,
            "circuit_breakers": UNLIMITED,
        },
        {
            **loopback,
            "name": first,
            "load_assignment": load_assignment(first, [(_LOCAL, inbound.local_port)]),
        },
        {
            "name": second,
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "original_dst_lb_config": {"upstream_port_override": inbound.local_port},
            "connect_timeout": CONNECT_TIMEOUT,
            "circuit_breakers": UNLIMITED,
            "typed_extension_protocol_options": _protocol(None),
        },
    ]


def called_address() -> Resource:
    """The network filter that notes for such a cluster by which of the pod's addresses a peer has called."""
    return extension(
        "envoy.filters.network.set_filter_state",
        "envoy.extensions.filters.network.set_filter_state.v3.Config",
        on_new_connection=[
            {
                "object_key": "envoy.network.transport_socket.original_dst_address",
                "format_string": {"text_format_source": {"inline_string": "%DOWNSTREAM_LOCAL_ADDRESS%"}},
                "shared_with_upstream": "ONCE",
            }
        ],
    )


def _external_cluster(name: str, port: PeerPort) -> Resource:
    """A host outside, by DNS; with TLS of ours, unless the app's own goes through."""
    _, host, number = port.service
    cluster = {
        "name": name,
        "type": "STRICT_DNS",
        "dns_lookup_family": "ALL",
        "typed_dns_resolver_config": _RESOLVER,
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": UNLIMITED,
        "load_assignment": load_assignment(name, [(host, number)]),
    }
    if port.protocol == "tcp":
        return cluster
    return {
        **cluster,
        "transport_socket": tls.external_socket(host),
        "typed_extension_protocol_options": _protocol(None),
    }


def _protocol(max_connection_duration: float | None) -> Resource:
    """The protocol that the caller speaks, HTTP/1.1 or HTTP/2, is kept all the way."""
    fields: Resource = {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}}
    if max_connection_duration is not None:
        fields["common_http_protocol_options"] = {"max_connection_duration": seconds(max_connection_duration)}
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", **fields
        )
    }
