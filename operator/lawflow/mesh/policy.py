"""The policy of the sidecar's module: what flows let through at one port, in the form that ``sidecar/core`` reads.

Each side filters what it exports: requests at the source, responses at the destination. What the other side has
filtered is left as it is, unless an operation says ``verify: full``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lawflow.mesh.envoy import ADS, TYPE_PREFIX, Resource, extension, typed
from lawflow.mesh.keys import KeyRing, Usage
from lawflow.mesh.route import leaves
from lawflow.mesh.sidecar import PeerPort, Rule
from lawflow.model.operation import FieldRule, Operation, Parameter, Payload

MODULE = "lawflow_sidecar"
"""Name of the module: Envoy loads ``lib<name>.so`` from its search path."""
MODULE_FILTER = "lawflow"
"""Name of the HTTP filter that the module is."""
SCHEMA = 2
"""Version of the policy's form that is written for new sidecars. Since 2 it holds credentials."""
SCHEMAS = frozenset({1, SCHEMA})
"""Versions that are written at all: this one and, once there are as many, the two before it."""

Direction = Literal["inbound", "outbound"]

_FILTER = "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"
_Parts = Literal["request", "response"]


def http_filter(name: str) -> Resource:
    """The filter in the chain of HTTP filters; its policy comes by ECDS under ``name``, and nothing passes before."""
    return {"name": name, "config_discovery": {"config_source": ADS, "type_urls": [TYPE_PREFIX + _FILTER]}}


Credential = Callable[[str, str, tuple[str, ...]], dict[str, Any]]
"""What a source (its SPIFFE id) shows an audience for purposes, in the policy's form. Raises ValueError where there is
nothing to make it with."""


def no_credential(_source: str, _audience: str, _purposes: tuple[str, ...]) -> dict[str, Any]:
    """For who makes none."""
    raise ValueError("there is no key to sign tokens with")


@dataclass(frozen=True)
class Terms:
    """What holds for all policies that are written at a moment."""

    not_after: int
    """Seconds since 1970 from which on a policy lets nothing through, unless it was renewed."""
    keys: KeyRing
    credential: Credential = no_credential
    schema: int = SCHEMA
    """The version that the sidecar reads."""


def extension_configuration(port: PeerPort, direction: Direction, enforced_by: str, terms: Terms) -> Resource:
    """The filter's configuration as ECDS delivers it; ``enforced_by`` is the SPIFFE id of the sidecar's workload."""
    return extension(
        f"{direction}/{port.name}",
        _FILTER,
        dynamic_module_config={"name": MODULE},
        filter_name=MODULE_FILTER,
        filter_config=typed("google.protobuf.Struct", value=policy(port, direction, enforced_by, terms)),
    )


def policy(port: PeerPort, direction: Direction, enforced_by: str, terms: Terms) -> dict[str, Any]:
    """The policy of one port at the sender (``outbound``) or the receiver (``inbound``)."""
    descriptor_sets = {
        f"{rule.flow}/{each.name}": each.data for rule in port.open_rules for each in rule.descriptor_sets
    }
    return {
        "schema": terms.schema,
        **({"descriptorSets": descriptor_sets} if descriptor_sets else {}),
        "port": port.name,
        "enforcedBy": enforced_by,
        "peer": "own" if direction == "outbound" else "certified",
        "notAfter": terms.not_after,
        "flows": [_flow(rule, port, direction, terms) for rule in port.rules],
    }


def _flow(rule: Rule, port: PeerPort, direction: Direction, terms: Terms) -> dict[str, Any]:
    flow: dict[str, Any] = {"name": rule.flow, "source": rule.source}
    if rule.closed:
        return flow | {"closed": rule.closed}
    # A request's values are for the peer behind the port, a response's for the source.
    recipient = (port.name if port.external else port.peer) if direction == "outbound" else rule.source
    try:
        operations = [
            _operation(each, rule, _sides(port, direction), recipient, terms.keys) for each in rule.operations
        ]
        if rule.audience and leaves(port, direction):
            flow["credential"] = _credential(rule, terms)
    except ValueError as error:
        return flow | {"closed": str(error)}
    if rule.not_after is not None:
        flow["notAfter"] = rule.not_after
    return flow | {"operations": operations}


def _credential(rule: Rule, terms: Terms) -> dict[str, Any]:
    if terms.schema < SCHEMA:
        raise ValueError("the sidecar it leaves by is too old to show tokens: roll its workload out again")
    return terms.credential(rule.source, rule.audience, rule.purposes)


def _operation(operation: Operation, rule: Rule, sides: "_Sides", recipient: str, keys: KeyRing) -> dict[str, Any]:
    purposes = list(operation.purposes or rule.purposes)
    found: dict[str, Any] = {
        "name": operation.name,
        "methods": sorted(operation.methods),
        "path": operation.path,
        "purposes": purposes,
        "stream": operation.stream,
    }
    if operation.subject is not None and operation.subject.location != "none":
        found["subject"] = {"in": operation.subject.location, "name": operation.subject.name}
    for part in sides.exported:
        found[part] = _payload(getattr(operation, part), rule, changes=True)
    if operation.verify == "full":
        for part in sides.imported:
            found[part] = _payload(getattr(operation, part), rule, changes=False)
    if usages := sorted({usage for part in sides.exported for usage in _usages(getattr(operation, part))}):
        found["keys"] = [keys.key(usage, recipient, purposes) for usage in usages]
    return found


@dataclass(frozen=True)
class _Sides:
    """What a side filters and changes, and what the other side has."""

    exported: tuple[_Parts, ...]
    imported: tuple[_Parts, ...]


def _sides(port: PeerPort, direction: Direction) -> _Sides:
    if port.external:
        # Nobody filters what a host outside answers but the source; the gateway checks who calls, and what for.
        return _Sides(("request", "response"), ()) if direction == "outbound" else _Sides((), ())
    return _Sides(("request",), ("response",)) if direction == "outbound" else _Sides(("response",), ("request",))


def _usages(payload: Payload | None) -> list[Usage]:
    """For what a key is needed."""
    payload = payload or Payload()
    rules: list[FieldRule | Parameter] = [*payload.fields, *payload.headers, *payload.query]
    asked = {rule.protect for rule in rules}
    usages: tuple[Usage, ...] = ("encrypt", "pseudonymize")
    return [usage for usage in usages if usage in asked]


def _payload(payload: Payload | None, rule: Rule, *, changes: bool) -> dict[str, Any]:
    """What may pass; ``changes`` says whether values are changed here, or have been by the side that sent them."""
    payload = payload or Payload()
    return {
        **_message(payload, rule),
        "fields": [{"pointer": field.pointer, **_protect(field, changes)} for field in payload.fields],
        "headers": [{"name": each.name, **_protect(each, changes)} for each in payload.headers],
        "query": [{"name": each.name, **_protect(each, changes)} for each in payload.query],
    }


def _message(payload: Payload, rule: Rule) -> dict[str, Any]:
    """The message that pointers reach into. Raises ValueError where the flow does not describe it."""
    message = payload.message
    if message is None:
        return {}
    if message.descriptor_set not in {each.name for each in rule.descriptor_sets}:
        raise ValueError(f"its descriptorSets have none that is named {message.descriptor_set}")
    return {"message": {"descriptorSet": f"{rule.flow}/{message.descriptor_set}", "name": message.name}}


def _protect(rule: FieldRule | Parameter, changes: bool) -> dict[str, str]:
    # What is dropped is dropped on both sides: a subtree around it would let it through.
    acts = rule.protect == "drop" or (changes and rule.protect != "pass")
    return {"protect": rule.protect} if acts else {}
