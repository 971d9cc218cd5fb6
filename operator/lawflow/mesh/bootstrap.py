"""The static part that a sidecar starts with: who it is, where its xDS server is, admin socket, health listener."""

from dataclasses import dataclass

from lawflow import __version__
from lawflow.mesh import tls
from lawflow.mesh.cluster import CONNECT_TIMEOUT
from lawflow.mesh.endpoint import by_priority
from lawflow.mesh.envoy import ADS, Resource, extension, socket_address, typed
from lawflow.mesh.policy import SCHEMA
from lawflow.mesh.sidecar import Identity
from lawflow.model import sidecar as contract
from lawflow.model.trust_bundle import STANDBY_SERVICE_ACCOUNT, XDS_PORT, XDS_SERVICE_ACCOUNT

XDS_CLUSTER = "xds"
MODULE, ADDRESSES, INTERCEPTION = "lawflow.module", "lawflow.addresses", "lawflow.interception"
"""Keys of the node's metadata: what a sidecar tells its server of itself, as said in BootstrapSettings."""
_ADMIN_CLUSTER = "admin"


@dataclass(frozen=True)
class Server:
    """An xDS server: where it is, and the SPIFFE id that it proves."""

    host: str
    port: int
    spiffe_id: str


def installed_servers(trust_domain: str, namespace: str) -> tuple[Server, ...]:
    """The servers of an installation in ``namespace``: the xDS server, and the one that stands by for it."""
    return tuple(
        Server(f"{name}.{namespace}.svc", XDS_PORT, Identity(namespace, name).spiffe_id(trust_domain))
        for name in (XDS_SERVICE_ACCOUNT, STANDBY_SERVICE_ACCOUNT)
    )


@dataclass(frozen=True)
class BootstrapSettings:
    """What one sidecar is told at its start. The defaults are those of a pod."""

    servers: tuple[Server, ...]
    """Its xDS servers: one is asked only while those before it cannot be reached."""
    module: str = f"{__version__}/{SCHEMA}"
    """Version of the sidecar's module, and of the policies that it reads: the server writes what it understands."""
    node_id: str = "sidecar"
    """For logs only: the server takes the identity from the certificate."""
    certificate_directory: str = contract.CERTIFICATE_DIRECTORY
    admin_socket: str = contract.ADMIN_SOCKET
    addresses: str = "$(POD_ADDRESSES)"
    """The pod's addresses, with commas between; the kubelet fills them in, and the two below."""
    interception: str = "$(INTERCEPTION)"
    """How the app's traffic reaches the sidecar."""
    health_address: str = "$(POD_ADDRESS)"
    health_port: int = contract.HEALTH_PORT


def bootstrap(settings: BootstrapSettings) -> Resource:
    """Envoy's bootstrap configuration."""
    return {
        # File SDS asks for both, even where no server reads them.
        "node": {
            "id": settings.node_id,
            "cluster": "lawflow",
            "metadata": {
                MODULE: settings.module,
                ADDRESSES: settings.addresses,
                INTERCEPTION: settings.interception,
            },
        },
        "admin": {"address": {"pipe": {"path": settings.admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER}}],
            },
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {
            "clusters": [_xds_cluster(settings), _admin_cluster(settings)],
            "listeners": [_health_listener(settings)],
        },
    }


def _xds_cluster(settings: BootstrapSettings) -> Resource:
    servers = settings.servers
    return {
        "name": XDS_CLUSTER,
        "type": "STRICT_DNS",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": by_priority(XDS_CLUSTER, [(server.host, server.port) for server in servers]),
        "outlier_detection": _PASSED_OVER,
        "transport_socket": tls.control_plane_socket(
            [server.spiffe_id for server in servers], settings.certificate_directory
        ),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={
                    # A server that vanished without a word is noticed, and another one asked.
                    "http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}
                },
            )
        },
    }


_PASSED_OVER = {
    # The first connection that fails lets the next server have its turn; soon after, the first is tried anew.
    "consecutive_5xx": 1,
    "interval": "1s",
    "base_ejection_time": "10s",
    "max_ejection_time": "10s",
    "max_ejection_percent": 100,
}
"""When a server is passed over, as ``envoy.config.cluster.v3.OutlierDetection``."""


def _admin_cluster(settings: BootstrapSettings) -> Resource:
    endpoint = {"endpoint": {"address": {"pipe": {"path": settings.admin_socket}}}}
    return {
        "name": _ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": _ADMIN_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _health_listener(settings: BootstrapSettings) -> Resource:
    """Passes one path on to the admin interface, which says yes once all configuration has arrived."""
    return {
        "name": "health",
        "address": socket_address(settings.health_address, settings.health_port),
        "filter_chains": [
            {
                "filters": [
                    extension(
                        "envoy.filters.network.http_connection_manager",
                        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                        stat_prefix="health",
                        http_filters=[
                            extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
                        ],
                        route_config={
                            "virtual_hosts": [
                                {
                                    "name": "health",
                                    "domains": ["*"],
                                    "routes": [
                                        {
                                            "match": {
                                                "path": contract.HEALTH_PATH,
                                                "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
                                            },
                                            "route": {"cluster": _ADMIN_CLUSTER, "prefix_rewrite": "/ready"},
                                        }
                                    ],
                                }
                            ]
                        },
                    )
                ]
            }
        ],
    }
