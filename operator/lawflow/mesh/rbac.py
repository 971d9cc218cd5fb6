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
    """What overrides the filter for one port's routes: one policy a flow, named after it.

    Which operations a flow lets through is for the sidecar's module to say; this closes a port whatever becomes of the
    module. ``sources`` says whether the caller's SPIFFE id counts: at the receiver, and not at the sender, which is the
    caller, so that there the filter is left out where anything is open.
    """
    policies = {
        rule.flow: {"permissions": [{"any": True}], "principals": [_principal(rule.source)]}
        for rule in rules
        if rule.operations
    }
    if policies and not sources:
        return unrestricted()
    return typed(_HTTP + "RBACPerRoute", rbac={"rules": {"action": "ALLOW", "policies": policies}})


def unrestricted() -> Resource:
    """What turns the filter off for routes that lead nowhere, so that their own answer is given."""
    return typed(_HTTP + "RBACPerRoute")


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
