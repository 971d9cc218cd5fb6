"""Clusters: the peers behind a port that the workload calls, and the workload itself behind a port that it serves."""

from lawflow.mesh import tls
from lawflow.mesh.endpoint import load_assignment
from lawflow.mesh.envoy import ADS, Resource, seconds, typed
from lawflow.mesh.route import leaves
from lawflow.mesh.sidecar import Inbound, MeshSettings, Outbound, PeerPort, Sidecar
from lawflow.model.sidecar import PEER_PORT

CONNECT_TIMEOUT = "2s"
_LOCAL = "127.0.0.1"


def outbound_cluster(outbound: Outbound, sidecar: Sidecar, settings: MeshSettings) -> Resource:
    """The sidecars of the workloads behind a Service, by EDS."""
    name = f"outbound/{outbound.port.name}"
    if leaves(outbound.port, "outbound"):
        return _external_cluster(name, outbound.port, settings)
    directory = sidecar.placement.certificate_directory
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "connect_timeout": CONNECT_TIMEOUT,
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


def inbound_cluster(inbound: Inbound, settings: MeshSettings) -> Resource:
    """The workload itself, on loopback; at the egress gateway, the host outside."""
    name = f"inbound/{inbound.port.name}"
    if leaves(inbound.port, "inbound"):
        return _external_cluster(name, inbound.port, settings)
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": load_assignment(name, [(_LOCAL, inbound.local_port)]),
        "typed_extension_protocol_options": _protocol(None),
    }


def _external_cluster(name: str, port: PeerPort, settings: MeshSettings) -> Resource:
    """A host outside, by DNS; with TLS of ours, unless the app's own goes through."""
    _, host, number = port.service
    cluster = {
        "name": name,
        "type": "STRICT_DNS",
        "dns_lookup_family": "ALL",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": load_assignment(name, [(host, number)]),
    }
    if port.protocol == "tcp":
        return cluster
    return {
        **cluster,
        "transport_socket": tls.external_socket(host, settings.external_roots),
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
