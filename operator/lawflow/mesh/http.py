"""The HTTP side of a listener: strict paths, no trace of the caller's address, refusals as RFC 9457 problems."""

from collections.abc import Iterable
from typing import Any, Literal

from lawflow.mesh import policy, rbac
from lawflow.mesh.envoy import ADS, Resource, extension, seconds
from lawflow.mesh.route import METADATA, PEER_PROBLEM, UNREACHED, leaves
from lawflow.mesh.sidecar import Identity, PeerPort

PROBLEM_TYPE = "https://lawflow.dev/problems/"

PROBLEM_MEDIA_TYPE = "application/problem+json"

_HTTP_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def http_filter_chain(
    port: PeerPort,
    direction: Literal["inbound", "outbound"],
    spiffe_id: str,
    max_connection_duration: float | None,
    routes: str = "",
) -> Resource:
    """The network filter that serves HTTP by the route configuration of a port, or by the one that ``routes`` names.

    ``spiffe_id`` is the sidecar's own. At the receiver the caller is taken from its certificate; what it says of itself
    in ``x-forwarded-client-cert`` is replaced.
    """
    name = f"{direction}/{port.name}"
    fields: dict[str, Any] = {"local_reply_config": local_replies(direction, spiffe_id, _next(port, direction))}
    if max_connection_duration is not None:
        fields["common_http_protocol_options"] = {"max_connection_duration": seconds(max_connection_duration)}
        fields["http1_safe_max_connection_duration"] = True
    # Who called is for the workload behind the sidecar to know, not for a host outside.
    if direction == "inbound" and not port.external:
        fields["forward_client_cert_details"] = "SANITIZE_SET"
        fields["set_current_client_cert_details"] = {"uri": True}
    return http_manager(name, [policy.http_filter(name)], rds=rds(routes or name), **fields)


def http_manager(stat_prefix: str, policies: Iterable[Resource], **fields: Any) -> Resource:
    """A network filter that serves HTTP; ``policies`` are the filters of the sidecar's module."""
    return extension(
        "envoy.filters.network.http_connection_manager",
        _HTTP_MANAGER,
        **{
            "stat_prefix": stat_prefix,
            "http_filters": [
                rbac.http_filter(),
                *policies,
                extension(
                    "envoy.filters.http.router",
                    "envoy.extensions.filters.http.router.v3.Router",
                    suppress_envoy_headers=True,
                ),
            ],
            "normalize_path": True,
            "merge_slashes": True,
            "path_with_escaped_slashes_action": "REJECT_REQUEST",
            "use_remote_address": True,
            "skip_xff_append": True,
            "generate_request_id": False,
            "server_header_transformation": "PASS_THROUGH",
            "forward_client_cert_details": "SANITIZE",
            **fields,
        },
    )


def rds(name: str) -> Resource:
    """Routes that come by the aggregated stream."""
    return {"route_config_name": name, "config_source": ADS}


UNDECLARED = 421
"""Status of the route for destinations that no flow leads to (RFC 9110, section 15.5.20); callers are told 403."""


def undeclared_destination(identity: Identity, spiffe_id: str) -> Resource:
    """What the caller of an undeclared destination is told: the flow that it lacks."""
    document = {
        "type": PROBLEM_TYPE + "undeclared-destination",
        "title": "No data flow declares this destination",
        "status": "%RESPONSE_CODE%",
        "detail": f"{spiffe_id} may not call %REQ(:AUTHORITY)% at %DOWNSTREAM_LOCAL_ADDRESS%: declare a DataFlow in "
        f"namespace {identity.namespace} with the source serviceAccountName {identity.service_account} and the Service "
        "or host there as its destination.",
        "enforcedBy": spiffe_id,
    }
    return {
        "filter": _status("EQ", UNDECLARED, "lawflow.undeclared"),
        "status_code": 403,
        "body_format_override": _problem(document),
    }


def local_replies(direction: str, spiffe_id: str, towards: str, *more: Resource) -> Resource:
    """Every answer that the sidecar gives itself is a problem document; paths and values are never repeated in it.

    ``towards`` says who is called next; ``more`` are answers of routes that lead nowhere.
    """
    caller = spiffe_id if direction == "outbound" else "%DOWNSTREAM_PEER_URI_SAN%"
    refused = {
        "type": PROBLEM_TYPE + "undeclared-operation",
        "title": "No open data flow declares this operation",
        "status": "%RESPONSE_CODE%",
        "detail": f"{caller} may not make this %REQ(:METHOD)% request to %METADATA(ROUTE:{METADATA}:port)%: declare "
        "its method and path among the operations of a lawful DataFlow from that service account to that Service.",
        "flows": f"%METADATA(ROUTE:{METADATA}:flows)%",
        "enforcedBy": spiffe_id,
    }
    failed = {
        "type": "about:blank",
        "title": "The sidecar could not pass the request on",
        "status": "%RESPONSE_CODE%",
        "detail": f"{towards}: %RESPONSE_CODE_DETAILS%",
        "enforcedBy": spiffe_id,
    }
    # Of what an app behind answers, the route takes these headers.
    mark = {"header": {"key": PEER_PROBLEM, "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    unreached = {"header": {"key": UNREACHED, "value": "true"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    own: Resource = {"headers_to_add": [mark]} if direction == "inbound" else {}
    # Connections to the workload that failed, and nowhere left to try.
    elsewhere: Resource = {
        "filter": {"response_flag_filter": {"flags": ["UF", "UH"]}},
        "body_format_override": _problem(failed),
        "headers_to_add": [mark, unreached],
    }
    by_module = {
        "metadata_filter": {
            "matcher": {"filter": METADATA, "path": [{"key": "rule"}], "value": {"present_match": True}},
            "match_if_key_not_found": False,
        }
    }
    as_it_is = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": PROBLEM_MEDIA_TYPE}
    return {
        "mappers": [
            *([elsewhere] if direction == "inbound" else []),
            # The module's answer is a problem document already.
            {"filter": by_module, "body_format_override": as_it_is, **own},
            {"filter": _status("EQ", 403, "lawflow.refused"), "body_format_override": _problem(refused), **own},
            *more,
            {"filter": _status("GE", 0, "lawflow.failed"), "body_format_override": _problem(failed), **own},
        ],
    }


def _status(operator: str, status: int, key: str) -> Resource:
    """A filter of answers by their status; ``key`` is what Envoy would ask its runtime for, which has none."""
    return {
        "status_code_filter": {"comparison": {"op": operator, "value": {"default_value": status, "runtime_key": key}}}
    }


def _next(port: PeerPort, direction: Literal["inbound", "outbound"]) -> str:
    """Who was to be called next."""
    if leaves(port, direction):
        return port.host
    if direction == "inbound":
        return "the workload"
    return f"the egress gateway {port.peer} on the way to {port.host}" if port.external else port.peer


def _problem(document: dict[str, str]) -> Resource:
    return {"json_format": document, "content_type": PROBLEM_MEDIA_TYPE}
