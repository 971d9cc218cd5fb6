"""All resources of one sidecar, by type URL and name: what xDS serves to it, and nothing beside."""

from collections.abc import Iterable, Mapping

from lawflow.mesh import tls
from lawflow.mesh.capture import capture_listeners, direct, system_cluster
from lawflow.mesh.cluster import direct_cluster, inbound_clusters, outbound_cluster
from lawflow.mesh.endpoint import load_assignment
from lawflow.mesh.envoy import TYPE_PREFIX, Resource
from lawflow.mesh.external import external_ports, external_routes
from lawflow.mesh.listener import inbound_listeners, listeners
from lawflow.mesh.policy import Terms, extension_configuration
from lawflow.mesh.route import leaves, route_configuration
from lawflow.mesh.sidecar import MeshSettings, Outbound, PeerPort, ServicePort, Sidecar, Whereabouts
from lawflow.model.sidecar import PEER_PORT

CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINT = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
EXTENSION = TYPE_PREFIX + "envoy.config.core.v3.TypedExtensionConfig"
LISTENER = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
ROUTE = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
SECRET = TYPE_PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"

Resources = dict[str, dict[str, Resource]]
"""Resources by type URL and name."""


def resources(
    sidecar: Sidecar,
    settings: MeshSettings,
    bundle: str,
    endpoints: Mapping[tuple[str, str], Iterable[str]],
    terms: Terms,
    external_roots: str = "",
    app_certificates: Mapping[str, tuple[str, str]] | None = None,
    whereabouts: Mapping[ServicePort, Whereabouts] | None = None,
) -> Resources:
    """The resources of one sidecar.

    ``bundle`` is the trust bundle as PEM; ``endpoints`` gives the addresses of the pods behind a Service; ``terms``
    hold for all policies; ``external_roots`` are the authorities that hosts outside are known by (PEM), which a sidecar
    needs that :func:`calls_outside`; ``app_certificates`` gives, by the name of a port at which the sidecar ends its
    app's TLS, certificate and key (PEM); ``whereabouts`` says where apps call Services, for sidecars in mode redirect.
    """
    own = sidecar.identity.spiffe_id(settings.trust_domain)
    http_out = [outbound.port for outbound in sidecar.outbound if outbound.port.protocol == "http"]
    http_in = [inbound.port for inbound in sidecar.inbound if inbound.port.protocol == "http"]
    captures = bool(sidecar.placement.capture)
    services = [outbound for outbound in sidecar.outbound if captures and not outbound.port.external]
    found: dict[str, list[Resource]] = {
        CLUSTER: [
            *(outbound_cluster(outbound, sidecar, settings) for outbound in sidecar.outbound),
            *(direct_cluster(outbound, sidecar, settings) for outbound in services),
            *([system_cluster()] if captures else ()),
            *(each for inbound in sidecar.inbound for each in inbound_clusters(inbound)),
        ],
        ENDPOINT: [
            load_assignment(
                f"outbound/{outbound.port.name}",
                [(address, PEER_PORT) for address in endpoints.get(behind(outbound.port, settings), ())],
            )
            for outbound in sidecar.outbound
            if not leaves(outbound.port, "outbound")
        ],
        EXTENSION: [
            *(extension_configuration(port, "outbound", own, terms) for port in http_out),
            *(extension_configuration(port, "inbound", own, terms) for port in http_in),
        ],
        LISTENER: [
            *capture_listeners(sidecar, settings, whereabouts or {}, app_certificates or {}),
            *inbound_listeners(sidecar, settings),
        ]
        if captures
        else listeners(sidecar, settings, app_certificates or {}),
        ROUTE: [
            *(
                route_configuration(port, "outbound")
                for port in http_out
                if not (captures and port.external) or port.terminates
            ),
            *(route_configuration(each.port, "outbound", direct(each)) for each in services if each.port in http_out),
            *(external_routes(port, found) for port, found in _externals(sidecar).items()),
            *(route_configuration(port, "inbound") for port in http_in),
        ],
        SECRET: [
            *(
                tls.peer_secret(f"outbound/{outbound.port.name}", bundle, [outbound.port.peer])
                for outbound in sidecar.outbound
                if not leaves(outbound.port, "outbound")
            ),
            *(
                tls.peer_secret(f"inbound/{into.port.name}", bundle, [rule.source for rule in into.port.rules])
                for into in sidecar.inbound
            ),
            *(tls.app_secret(port, *pair) for port, pair in sorted((app_certificates or {}).items())),
            *([tls.external_roots_secret(external_roots)] if calls_outside(sidecar) else ()),
        ],
    }
    return {
        kind: {str(resource.get("name") or resource["cluster_name"]): resource for resource in group}
        for kind, group in found.items()
    }


def calls_outside(sidecar: Sidecar) -> bool:
    """Whether a sidecar makes TLS connections to hosts outside itself."""
    return any(leaves(each.port, "outbound") and each.port.protocol == "http" for each in sidecar.outbound) or any(
        leaves(each.port, "inbound") and each.port.protocol == "http" for each in sidecar.inbound
    )


def shows_tokens(sidecar: Sidecar) -> bool:
    """Whether a sidecar shows hosts outside who calls, so that its policies hold for minutes alone."""
    ports = [
        *(each.port for each in sidecar.outbound if leaves(each.port, "outbound")),
        *(each.port for each in sidecar.inbound if leaves(each.port, "inbound")),
    ]
    return any(rule.audience for port in ports for rule in port.open_rules)


def _externals(sidecar: Sidecar) -> Mapping[int, list[Outbound]]:
    return external_ports(sidecar.outbound) if sidecar.placement.capture else {}


def behind(port: PeerPort, settings: MeshSettings) -> tuple[str, str]:
    """Namespace and name of the Service whose pods are called for a port."""
    if port.external and settings.egress:
        return settings.egress.namespace, settings.egress.service_account
    return port.service[:2]
