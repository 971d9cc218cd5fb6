"""Who may call whom, as Envoy's role-based access control: everything is denied that no open flow leads to."""

from collections.abc import Iterable

from lawflow.mesh.envoy import Resource, extension, typed
from lawflow.mesh.sidecar import Rule

HTTP_FILTER = "envoy.filters.http.rbac"
_HTTP = "envoy.extensions.filters.http.rbac.v3."


def http_filter() -> Resource:
    """The filter in the chain; it denies everything until a route configuration says otherwise."""
    return extension(HTTP_FILTER, _HTTP + "RBAC", rules={"action": "ALLOW", "policies": {}})


def per_route(rules: Iterable[Rule], *, sources: bool) -> Resource:
    """What overrides the filter for one port's routes: one policy for each open flow, named after it.

    Which operations a flow lets through is for the sidecar's module to say; this closes a port whatever becomes of the
    module. ``sources`` says whether the caller's SPIFFE id counts: at the receiver, and not at the sender, which is the
    caller. Where nothing would be decided here the filter is left out, since it costs every request: at the sender
    where anything is open, and at the receiver where everything is, because the handshake asks for those same sources.
    """
    rules = tuple(rules)
    policies = {
        rule.flow: {"permissions": [{"any": True}], "principals": [_principal(rule.source)]}
        for rule in rules
        if rule.operations and not rule.closed
    }
    if policies and (not sources or len(policies) == len(rules)):
        return unrestricted()
    return typed(_HTTP + "RBACPerRoute", rbac={"rules": {"action": "ALLOW", "policies": policies}})


def unrestricted() -> Resource:
    """What turns the filter off: for routes that lead nowhere, too, so that their own answer is given."""
    return typed("envoy.config.route.v3.FilterConfig", disabled=True)


def network_filter(stat_prefix: str, rules: Iterable[Rule]) -> Resource:
    """For TCP, where a flow lets everything or nothing through."""
    policies = {rule.flow: {"permissions": [{"any": True}], "principals": [_principal(rule.source)]} for rule in rules}
    return extension(
        "envoy.filters.network.rbac",
        "envoy.extensions.filters.network.rbac.v3.RBAC",
        stat_prefix=stat_prefix,
        rules={"action": "ALLOW", "policies": policies},
    )


def _principal(spiffe_id: str) -> Resource:
    return {"authenticated": {"principal_name": {"exact": spiffe_id}}}
