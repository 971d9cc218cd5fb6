"""Who may call what, as Envoy's role-based access control: everything is denied that no open flow declares."""

import re
from collections.abc import Iterable

from lawflow.mesh.envoy import Resource, extension, typed
from lawflow.mesh.sidecar import Rule
from lawflow.model.operation import Operation

HTTP_FILTER = "envoy.filters.http.rbac"
_HTTP = "envoy.extensions.filters.http.rbac.v3."
_PARAMETER = re.compile(r"\{[^{}/]*\}")


def http_filter() -> Resource:
    """The filter in the chain; it denies everything until a route configuration says otherwise."""
    return extension(HTTP_FILTER, _HTTP + "RBAC", rules={"action": "ALLOW", "policies": {}})


def per_route(rules: Iterable[Rule], *, sources: bool) -> Resource:
    """What overrides the filter for one port's routes: one policy a flow, named after it.

    ``sources`` says whether the caller's SPIFFE id counts: at the receiver, and not at the sender, which is the caller.
    """
    policies = {
        rule.flow: {
            "permissions": [_permission(operation) for operation in rule.operations],
            "principals": [_principal(rule.source) if sources else {"any": True}],
        }
        for rule in rules
        if rule.operations
    }
    return typed(_HTTP + "RBACPerRoute", rbac={"rules": {"action": "ALLOW", "policies": policies}})


def network_filter(stat_prefix: str, rules: Iterable[Rule]) -> Resource:
    """For TCP, where a flow lets everything or nothing through."""
    policies = {rule.flow: {"permissions": [{"any": True}], "principals": [_principal(rule.source)]} for rule in rules}
    return extension(
        "envoy.filters.network.rbac",
        "envoy.extensions.filters.network.rbac.v3.RBAC",
        stat_prefix=stat_prefix,
        rules={"action": "ALLOW", "policies": policies},
    )


def path_pattern(template: str) -> str:
    """A path template as a regular expression (RE2): ``{name}`` is one segment or a part of one, never more.

    Path parameters (``;name=value``, RFC 3986 section 3.3) never match: they would carry what nobody declared, and
    apps disagree with each other about where ``/a/..;/b`` leads.
    """
    literals = _PARAMETER.split(template)
    return "[^/;]+".join(re.escape(literal) for literal in literals)


def _permission(operation: Operation) -> Resource:
    path = {"url_path": {"path": {"safe_regex": {"regex": path_pattern(operation.path)}}}}
    if not operation.methods:
        return path
    methods = [
        {"header": {"name": ":method", "string_match": {"exact": method}}} for method in sorted(operation.methods)
    ]
    return {"and_rules": {"rules": [{"or_rules": {"rules": methods}}, path]}}


def _principal(spiffe_id: str) -> Resource:
    return {"authenticated": {"principal_name": {"exact": spiffe_id}}}
