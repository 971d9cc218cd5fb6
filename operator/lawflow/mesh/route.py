"""Route configurations: what a flow lets through takes effect on live connections, because it comes by RDS."""

from collections.abc import Iterable
from typing import Literal

from lawflow.mesh import rbac
from lawflow.mesh.envoy import Resource, extension
from lawflow.mesh.sidecar import PeerPort, Rule

METADATA = "lawflow"
"""Namespace of the route metadata that the answer to a refused request is made from."""

PERSONAL_HEADERS = (
    "cookie", "forwarded", "from", "referer", "true-client-ip", "user-agent", "via", "x-client-ip",
    "x-envoy-external-address", "x-envoy-internal", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
    "x-forwarded-proto", "x-real-ip",
)  # fmt: skip
"""Request headers that name or trace a person, some of which Envoy adds itself. The source's module has removed what
nobody declares; at the receiver they are removed for callers that went past their own sidecar."""

_OWN_HEADERS = ("lawflow-flow", "lawflow-purpose")
"""What sidecars tell each other; it is nobody's business outside."""

UNREACHED = "lawflow-unreached"
"""Header by which the receiver's sidecar says that its workload took no connection: nothing was done of the request."""

_UNSENT = "connect-failure,refused-stream,reset-before-request"
_RETRY: Resource = {"retry_on": _UNSENT, "num_retries": 2}
"""Only what surely never reached the other side, so that nothing is done twice."""

_RETRY_ONCE: Resource = {**_RETRY, "num_retries": 1}
"""At the workload itself, which has two addresses to be tried."""

_RETRY_ELSEWHERE: Resource = {
    "retry_on": f"{_UNSENT},retriable-headers",
    "retriable_headers": [{"name": UNREACHED, "present_match": True}],
    "num_retries": 3,
    "retry_host_predicate": [
        extension(
            "envoy.retry_host_predicates.previous_hosts",
            "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        )
    ],
    "host_selection_retry_max_attempts": 5,
}
"""The same between sidecars, at another pod where there is one: an app that ends stops listening before its peers have
heard of it."""


PEER_PROBLEM = "lawflow-problem"
"""Response header by which a sidecar says that an answer is its own: a problem document that the source's sidecar hands
to the app as it is. It is taken from what anybody else answers, so that nobody can claim it."""


def route_configuration(
    port: PeerPort, direction: Literal["inbound", "outbound"], name: str = "", domains: Iterable[str] = ("*",)
) -> Resource:
    """Routes of one port at the sender (``outbound``) or the receiver (``inbound``).

    ``name`` is the name of the routes and their cluster, where it is not that of the port.
    """
    name = name or f"{direction}/{port.name}"
    removed = _removed(port.open_rules) if direction == "inbound" else []
    # What an app calls its peer would be text that nobody declared.
    retry = _RETRY if leaves(port, direction) else _RETRY_ELSEWHERE if direction == "outbound" else _RETRY_ONCE
    action: Resource = {
        "cluster": name, "timeout": "0s", "retry_policy": retry, "host_rewrite_literal": port.host
    }  # fmt: skip
    if leaves(port, direction):
        removed = [*_removed(port.open_rules), *_OWN_HEADERS]
    return {
        "name": name,
        "validate_clusters": False,
        "request_headers_to_remove": removed,
        # They are for sidecars to say, and for no app to claim or to read. What comes from a peer's sidecar had its
        # claims taken there.
        "response_headers_to_remove": [
            UNREACHED,
            *([PEER_PROBLEM] if direction == "inbound" or leaves(port, direction) else []),
        ],
        "virtual_hosts": [
            {
                "name": name,
                "domains": list(domains),
                "routes": [
                    {
                        "match": {"prefix": "/"},
                        "route": action,
                        "metadata": {
                            "filter_metadata": {METADATA: {"port": port.name, "flows": _flows(port.rules, direction)}}
                        },
                    }
                ],
                "typed_per_filter_config": {
                    rbac.HTTP_FILTER: rbac.per_route(port.rules, sources=direction == "inbound")
                },
            }
        ],
    }


def leaves(port: PeerPort, direction: Literal["inbound", "outbound"]) -> bool:
    """Whether what passes here goes to a host outside next: from the egress gateway, or without one."""
    return port.external is not None and (direction == "inbound" or not port.peer)


def closed_route_configuration(name: str) -> Resource:
    """The answer for a port that no flow leads to any more, for connections that outlive its listener: deny all."""
    direction, _, port = name.partition("/")
    namespace, _, service = port.rpartition("/")
    service_name, _, number = service.partition(":")
    closed = PeerPort((namespace, service_name, int(number) if number.isdecimal() else 0), "http", "", ())
    return {**route_configuration(closed, "inbound" if direction == "inbound" else "outbound"), "name": name}


def _removed(rules: Iterable[Rule]) -> list[str]:
    declared = {
        header.name.lower()
        for rule in rules
        for operation in rule.operations
        for header in (operation.request.headers if operation.request else ())
    }
    return [name for name in PERSONAL_HEADERS if name not in declared]


def _flows(rules: Iterable[Rule], direction: str) -> str:
    """Which flows there are. Why one is closed is for its own source to know, not for every peer of the receiver."""
    named = []
    for rule in rules:
        state = f"closed: {rule.closed}" if direction == "outbound" else "closed"
        named.append(f"{rule.flow} is {state if rule.closed else 'open'}")
    return "; ".join(named) or "none"
