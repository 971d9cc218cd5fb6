"""The policy that the mesh would write for one flow, were it open."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lawflow.mesh.external import external_port
from lawflow.mesh.policy import policy
from lawflow.mesh.sidecar import MeshSettings, Passage, PeerPort, destination_of, sidecar, source_of
from lawflow.resolve import ResolvedFlow

Direction = Literal["request", "response"]

NOW = 0
"""The time at which messages are tried, in seconds since 1970: policies for that neither age nor wait."""
KEYED = ("pseudonymize", "encrypt")
"""Protections that need a key."""


class UnfilteredError(ValueError):
    """A flow whose fields nobody can filter; the message says why and what to declare instead."""


@dataclass(frozen=True)
class Trial:
    """A policy under which one flow is tried, and the SPIFFE id that its requests come from."""

    policy: Mapping[str, Any]
    peer: str
    has_keys: bool
    """Whether values are protected with the key that stands in for those of the mesh."""


def trial(flow: ResolvedFlow, direction: Direction, secret: bytes, settings: MeshSettings | None = None) -> Trial:
    """The policy of the side that exports: the sender's for requests, the receiver's for responses.

    It holds this flow alone, as if it were accepted and lawful, and ``secret`` (32 bytes) for every key that its
    operations need. Raises UnfilteredError.
    """
    settings = settings or MeshSettings()
    _check(flow)
    opened = Passage(replace(flow, accepted=True))
    source = source_of(flow).spiffe_id(settings.trust_domain)
    port = _port(opened, direction, settings)
    enforced_by = source if direction == "request" else port.peer or source
    side: Literal["outbound", "inbound"] = "outbound" if direction == "request" else "inbound"
    written, has_keys = _with_keys(policy(port, side, enforced_by, NOW + 1), secret)
    return Trial(written, source, has_keys)


def _check(flow: ResolvedFlow) -> None:
    destination = flow.flow.spec.destination
    if destination.service is not None and destination.service.protocol == "tcp":
        raise UnfilteredError("its protocol is tcp, in which fields cannot be told; declare http where it is HTTP")
    if destination.external is not None and destination.external.tls == "passthrough":
        raise UnfilteredError("its TLS passes through, so fields cannot be filtered; declare tls: originate")


def _port(passage: Passage, direction: Direction, settings: MeshSettings) -> PeerPort:
    receiver = destination_of(passage.flow)
    if receiver is None:
        return external_port(passage, settings)
    if direction == "request":
        return sidecar(source_of(passage.flow), [passage], settings).outbound[0].port
    return sidecar(receiver, [passage], settings).inbound[0].port


def _with_keys(written: Mapping[str, Any], secret: bytes) -> tuple[dict[str, Any], bool]:
    """The policy with a key for every protection that needs one and has none."""
    found = copy.deepcopy(dict(written))
    has_keys = False
    for operation in (operation for flow in found["flows"] for operation in flow.get("operations", ())):
        present = {key["usage"] for key in operation.get("keys", ())}
        missing = sorted({*_protections(operation)}.intersection(KEYED) - present)
        if missing:
            has_keys = True
            made = [{"usage": usage, "id": "trial", "secret": secret.hex()} for usage in missing]
            operation["keys"] = [*operation.get("keys", ()), *made]
    return found, has_keys


def _protections(operation: Mapping[str, Any]) -> Iterator[str]:
    for payload in (operation.get("request"), operation.get("response")):
        for declared in (payload or {}).values():
            yield from (each["protect"] for each in declared if "protect" in each)
