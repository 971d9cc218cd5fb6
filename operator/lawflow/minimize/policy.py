"""The policy that the mesh would write for one flow, were it open."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lawflow.mesh.keys import KeyRing
from lawflow.mesh.policy import Terms, policy
from lawflow.mesh.sidecar import MeshSettings, Passage, PeerPort, destination_of, sidecar, source_of
from lawflow.resolve import ResolvedFlow

Direction = Literal["request", "response"]

NOW = 0
"""The time at which messages are tried, in seconds since 1970: policies for that neither age nor wait."""


class UnfilteredError(ValueError):
    """A flow whose fields nobody can filter; the message says why and what to declare instead."""


@dataclass(frozen=True)
class Trial:
    """A policy under which one flow is tried, and the SPIFFE id that its requests come from."""

    policy: Mapping[str, Any]
    peer: str
    has_keys: bool
    """Whether values are protected with keys."""


def trial(flow: ResolvedFlow, direction: Direction, master: bytes, settings: MeshSettings | None = None) -> Trial:
    """The policy of the side that exports: the sender's for requests and for what hosts outside answer, else the
    receiver's.

    It holds this flow alone, as if it were accepted and lawful, and keys that are derived from ``master`` (32 bytes).
    Raises UnfilteredError.
    """
    settings = settings or MeshSettings()
    _check(flow)
    opened = Passage(replace(flow, accepted=True))
    source = source_of(flow)
    receiver = destination_of(flow)
    terms = Terms(NOW + 1, KeyRing.at(master, NOW))
    if direction == "request" or receiver is None:
        port = _open(sidecar(source, [opened], settings).outbound[0].port)
        written = policy(port, "outbound", source.spiffe_id(settings.trust_domain), terms)
    else:
        port = _open(sidecar(receiver, [opened], settings).inbound[0].port)
        written = policy(port, "inbound", port.peer, terms)
    has_keys = any(operation.get("keys") for flow in written["flows"] for operation in flow["operations"])
    return Trial(written, source.spiffe_id(settings.trust_domain), has_keys)


def _check(flow: ResolvedFlow) -> None:
    destination = flow.flow.spec.destination
    if destination.service is not None and destination.service.protocol == "tcp":
        raise UnfilteredError("its protocol is tcp, in which fields cannot be told; declare http where it is HTTP")
    if destination.external is not None and destination.external.tls == "passthrough":
        raise UnfilteredError("its TLS passes through, so fields cannot be filtered; declare tls: originate")


def _open(port: PeerPort) -> PeerPort:
    """The port with whatever else closes its flow left aside."""
    return replace(port, rules=tuple(replace(rule, closed="") for rule in port.rules))
