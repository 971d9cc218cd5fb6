"""Mode redirect: hosts outside that the app calls by plain HTTP, told apart by the host that requests name.

The app looked the host up itself, so its address says nothing. All hosts of one port share a filter chain; each has a
virtual host, which alone turns the policy of its port on.
"""

from collections.abc import Iterable, Mapping, Sequence

from lawflow.mesh import policy, rbac
from lawflow.mesh.envoy import Resource, typed
from lawflow.mesh.http import UNDECLARED, http_manager, local_replies, rds, undeclared_destination
from lawflow.mesh.route import route_configuration
from lawflow.mesh.sidecar import Identity, Outbound, Sidecar


def external_ports(outbound: Iterable[Outbound]) -> dict[int, list[Outbound]]:
    """Hosts outside by the port at which apps call them, where requests can be read."""
    found: dict[int, list[Outbound]] = {}
    for each in outbound:
        if each.port.external and not each.port.speaks_tls:
            found.setdefault(each.listening_port, []).append(each)
    return dict(sorted(found.items()))


def external_routes(port: int, outbound: Sequence[Outbound]) -> Resource:
    """Routes of all hosts at a port."""
    hosts = []
    for each in outbound:
        alone = route_configuration(each.port, "outbound", domains=[each.port.service[1]])
        (host,) = alone["virtual_hosts"]
        for taken in ("request_headers_to_remove", "response_headers_to_remove"):
            host[taken] = alone[taken]
        host["typed_per_filter_config"][_policy(each)] = typed("envoy.config.route.v3.FilterConfig", config={})
        hosts.append(host)
    undeclared = {
        "name": "undeclared",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": UNDECLARED}}],
        "typed_per_filter_config": {rbac.HTTP_FILTER: rbac.unrestricted()},
    }
    return {"name": _name(port), "validate_clusters": False, "virtual_hosts": [*hosts, undeclared]}


def external_chain(port: int, outbound: Sequence[Outbound], identity: Identity, spiffe_id: str) -> Resource:
    """The filter chain for all hosts at a port."""
    manager = http_manager(
        _name(port),
        [{**policy.http_filter(_policy(each)), "disabled": True} for each in outbound],
        rds=rds(_name(port)),
        strip_any_host_port=True,
        strip_trailing_host_dot=True,
        local_reply_config=local_replies(
            "outbound", spiffe_id, "the destination", undeclared_destination(identity, spiffe_id)
        ),
    )
    return {"name": _name(port), "filters": [manager]}


def policies_by_route(sidecar: Sidecar) -> Mapping[str, tuple[str, ...]]:
    """Names of the policies that routes rely on, where they are not named like the routes."""
    if not sidecar.placement.capture:
        return {}
    direct = {
        f"direct/{each.port.name}": (f"outbound/{each.port.name}",)
        for each in sidecar.outbound
        if not each.port.external
    }
    shared = {
        _name(port): tuple(_policy(each) for each in found) for port, found in external_ports(sidecar.outbound).items()
    }
    return direct | shared


def _name(port: int) -> str:
    return f"external:{port}"


def _policy(outbound: Outbound) -> str:
    return f"outbound/{outbound.port.name}"
