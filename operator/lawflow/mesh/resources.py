"""All resources of one sidecar, by type URL and name: what xDS serves to it, and nothing beside."""

from collections.abc import Iterable, Mapping

from lawflow.mesh import tls
from lawflow.mesh.cluster import inbound_cluster, outbound_cluster
from lawflow.mesh.endpoint import load_assignment
from lawflow.mesh.envoy import TYPE_PREFIX, Resource
from lawflow.mesh.listener import listeners
from lawflow.mesh.route import route_configuration
from lawflow.mesh.sidecar import MeshSettings, Sidecar
from lawflow.model.sidecar import PEER_PORT

CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINT = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
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
) -> Resources:
    """The resources of one sidecar.

    ``bundle`` is the trust bundle as PEM; ``endpoints`` gives the addresses of the pods behind a Service.
    """
    found: dict[str, list[Resource]] = {
        CLUSTER: [
            *(outbound_cluster(outbound, sidecar, settings) for outbound in sidecar.outbound),
            *(inbound_cluster(inbound) for inbound in sidecar.inbound),
        ],
        ENDPOINT: [
            load_assignment(
                f"outbound/{outbound.port.name}",
                [(address, PEER_PORT) for address in endpoints.get(outbound.port.service[:2], ())],
            )
            for outbound in sidecar.outbound
        ],
        LISTENER: listeners(sidecar, settings),
        ROUTE: [
            *(route_configuration(out.port, "outbound") for out in sidecar.outbound if out.port.protocol == "http"),
            *(route_configuration(into.port, "inbound") for into in sidecar.inbound if into.port.protocol == "http"),
        ],
        SECRET: [
            *(
                tls.peer_secret(f"outbound/{outbound.port.name}", bundle, [outbound.port.peer])
                for outbound in sidecar.outbound
            ),
            *(
                tls.peer_secret(f"inbound/{into.port.name}", bundle, [rule.source for rule in into.port.rules])
                for into in sidecar.inbound
            ),
        ],
    }
    return {
        kind: {str(resource.get("name") or resource["cluster_name"]): resource for resource in group}
        for kind, group in found.items()
    }
