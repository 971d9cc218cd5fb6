"""Mode redirect: every connection of the app arrives at one listener, which sends it where its destination was.

Destinations are told apart by address and port alone, in the listener's matcher. Envoy keeps the filter chains, and so
the connections, of an update that changes nothing else of a listener; pods come and go without harm.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

from lawflow.mesh import rbac
from lawflow.mesh.cluster import CONNECT_TIMEOUT, UNLIMITED
from lawflow.mesh.envoy import Resource, extension, socket_address, typed
from lawflow.mesh.external import external_chain, external_ports
from lawflow.mesh.http import UNDECLARED, http_filter_chain, http_manager, local_replies, undeclared_destination
from lawflow.mesh.listener import BUFFER_BYTES, TLS_INSPECTOR, chain_by_name, hang_up, tcp_or_closed, tcp_proxy
from lawflow.mesh.sidecar import Address, MeshSettings, Outbound, ServicePort, Sidecar, Whereabouts
from lawflow.model.peer import HTTPS_PORT
from lawflow.model.sidecar import OUTBOUND_PORT

CAPTURE = "outbound"
"""Name of the listener that redirected connections of the first family arrive at."""
SYSTEM = "system"
"""Name of the chain and the cluster of the cluster's own destinations."""
_REFUSED = "refused"
_CLOSED = "closed"

_INSPECTION_SECONDS = "5s"
_IDLE_SECONDS = "5s"
"""Who is not allowed to speak may wait so long: a peer that expects to be spoken to first would wait for ever."""

_ANY: tuple[Resource, ...] = ({"prefix": "/"}, {"connect_matcher": {}})

_NETWORK_INPUTS = "envoy.extensions.matching.common_inputs.network.v3."


def capture_listeners(
    sidecar: Sidecar,
    settings: MeshSettings,
    whereabouts: Mapping[ServicePort, Whereabouts],
    certified: Container[str] = (),
) -> list[Resource]:
    """The listeners, one a family, so that a family that the pod turns out to lack takes nothing else down.

    ``certified`` as in :func:`lawflow.mesh.listener.listeners`.
    """
    own = sidecar.identity.spiffe_id(settings.trust_domain)
    externals = external_ports(sidecar.outbound)
    named = [each for each in sidecar.outbound if each.port.speaks_tls]
    chains = [
        *(chain for each in sidecar.outbound if not each.port.external for chain in _service_chains(each, own)),
        *({"name": f"outbound/{each.port.name}", **chain_by_name(each, own, certified)} for each in named),
        *(external_chain(port, found, sidecar.identity, own) for port, found in externals.items()),
        {"name": SYSTEM, "filters": [tcp_proxy(SYSTEM)]},
        {"name": _CLOSED, "filters": [hang_up()]},
    ]
    return [
        {
            "name": CAPTURE if position == 0 else f"{CAPTURE}-{position + 1}",
            "traffic_direction": "OUTBOUND",
            "address": socket_address(address, OUTBOUND_PORT),
            "per_connection_buffer_limit_bytes": BUFFER_BYTES,
            "listener_filters": [_ORIGINAL_DESTINATION, _inspector(named)],
            "listener_filters_timeout": _INSPECTION_SECONDS,
            "continue_on_listener_filters_timeout": True,
            "filter_chains": chains,
            "filter_chain_matcher": _matcher(
                _addresses(sidecar.outbound, settings.system_destinations, whereabouts), named, externals
            ),
            "default_filter_chain": _refused(sidecar, own),
        }
        for position, address in enumerate(sidecar.placement.capture)
    ]


def system_cluster() -> Resource:
    """Wherever a captured connection was going."""
    return {
        "name": SYSTEM,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": UNLIMITED,
    }


def direct(outbound: Outbound) -> str:
    """Name of chain, routes and cluster for calls to one certain pod."""
    return f"direct/{outbound.port.name}"


def _service_chains(outbound: Outbound, spiffe_id: str) -> Iterable[Resource]:
    """One for calls to the Service, one for calls to a certain pod behind it."""
    for name, kind in ((f"outbound/{outbound.port.name}", "outbound"), (direct(outbound), "direct")):
        if outbound.port.protocol == "tcp":
            filters = [tcp_or_closed(outbound.port, kind)]
        else:
            filters = [http_filter_chain(outbound.port, "outbound", spiffe_id, None, routes=name)]
        yield {"name": name, "filters": filters}


def _refused(sidecar: Sidecar, spiffe_id: str) -> Resource:
    """The chain of all that nobody declared: HTTP gets an answer, everything else is hung up on.

    An HTTP server tells the two apart by itself. A listener filter that looked for HTTP would hold up every declared
    connection whose server speaks first.
    """
    route: Resource = {"direct_response": {"status": UNDECLARED}}
    unrestricted = {rbac.HTTP_FILTER: rbac.unrestricted()}
    manager = http_manager(
        _REFUSED,
        [],
        route_config={
            "name": _REFUSED,
            "virtual_hosts": [
                {
                    "name": _REFUSED,
                    "domains": ["*"],
                    "routes": [{"match": match, **route} for match in _ANY],
                    "typed_per_filter_config": unrestricted,
                }
            ],
        },
        local_reply_config=local_replies(
            "outbound", spiffe_id, "the destination", undeclared_destination(sidecar.identity, spiffe_id)
        ),
        common_http_protocol_options={"idle_timeout": _IDLE_SECONDS},
        request_headers_timeout=_IDLE_SECONDS,
    )
    return {"name": _REFUSED, "filters": [manager]}


def _addresses(
    outbound: Iterable[Outbound], system: Iterable[ServicePort], whereabouts: Mapping[ServicePort, Whereabouts]
) -> dict[Address, str]:
    """Chain by address. Of two that claim one, flows come before the system, Services before pods, then the first."""
    found: dict[Address, str] = {}
    services = [each for each in outbound if not each.port.external]
    nowhere = Whereabouts()
    for each in services:
        for address in whereabouts.get(each.port.service, nowhere).service:
            found.setdefault(address, f"outbound/{each.port.name}")
    for each in services:
        for address in whereabouts.get(each.port.service, nowhere).pods:
            found.setdefault(address, direct(each))
    for service in system:
        where = whereabouts.get(service, nowhere)
        for address in (*where.service, *where.pods):
            found.setdefault(address, SYSTEM)
    return found


def _matcher(addresses: Mapping[Address, str], named: Iterable[Outbound], externals: Mapping[int, object]) -> Resource:
    by_port: dict[int, dict[str, Resource]] = defaultdict(dict)
    for (address, port), chain in addresses.items():
        by_port[port][address] = _chain(chain)
    names: dict[int, dict[str, Resource]] = defaultdict(dict)
    for each in named:
        names[each.listening_port][each.port.service[1]] = _chain(f"outbound/{each.port.name}")
    inspected = {HTTPS_PORT, *names}
    ports: dict[str, Resource] = {}
    for port in sorted({*by_port, *externals, *inspected}):
        rest = _chain(f"external:{port}") if port in externals else None
        if port in inspected:
            rest = _tree("TransportProtocolInput", {"tls": _chain(_CLOSED)}, rest)
        if port in names:
            rest = _tree("ServerNameInput", names[port], rest)
        if port in by_port:
            rest = _tree("DestinationIPInput", by_port[port], rest)
        assert rest is not None, "each of these ports leads somewhere"
        ports[str(port)] = rest
    matcher: Resource = _tree("DestinationPortInput", ports, None)["matcher"]
    return matcher


def _tree(attribute: str, choices: Mapping[str, Resource], otherwise: Resource | None) -> Resource:
    tree = {
        "input": extension(attribute, _NETWORK_INPUTS + attribute),
        "exact_match_map": {"map": {name: choices[name] for name in sorted(choices)}},
    }
    return {"matcher": {"matcher_tree": tree, **({"on_no_match": otherwise} if otherwise else {})}}


def _chain(name: str) -> Resource:
    return {"action": {"name": "chain", "typed_config": typed("google.protobuf.StringValue", value=name)}}


_ORIGINAL_DESTINATION = extension(
    "envoy.filters.listener.original_dst", "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"
)


def _inspector(named: Iterable[Outbound]) -> Resource:
    """Reads the TLS server name where one may count. Elsewhere it would wait for a client that waits for its server."""
    ports = sorted({HTTPS_PORT, *(each.listening_port for each in named)})
    ranges = [{"destination_port_range": {"start": port, "end": port + 1}} for port in ports]
    inspected = ranges[0] if len(ranges) == 1 else {"or_match": {"rules": ranges}}
    return {**TLS_INSPECTOR, "filter_disabled": {"not_match": inspected}}
