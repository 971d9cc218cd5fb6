"""Ports that the sidecar and a container of the app would both listen on; they share one network."""

from collections.abc import Iterable, Iterator
from typing import Any

from lawflow.inject.containers import app_containers
from lawflow.inject.result import Refusal
from lawflow.model import sidecar as contract
from lawflow.model.loopback import LoopbackDestination
from lawflow.model.sidecar import Interception
from lawflow.model.workload import Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("httpGet", "tcpSocket", "grpc")


def reserved_ports(mode: Interception) -> frozenset[int]:
    """Ports that the sidecar listens on whatever the flows are."""
    always = {contract.PEER_PORT, contract.HEALTH_PORT}
    return frozenset(always | {contract.OUTBOUND_PORT} if mode == "redirect" else always)


def port_collisions(spec: Object, mode: Interception, destinations: Iterable[LoopbackDestination]) -> Iterator[Refusal]:
    """Ports of the app, as far as the pod shows them, that the sidecar needs; and destinations on the sidecar's own."""
    reserved = reserved_ports(mode)
    called = {port: each.host for each in destinations for port in each.ports} if mode == "explicit" else {}
    for port in sorted(called.keys() & reserved):
        yield Refusal(
            "destination-port-reserved",
            ".metadata",
            f"the flow to {called[port]} uses port {port}, on which the sidecar itself listens",
            "use the annotation lawflow.dev/interception: redirect, or another port of the destination",
        )
    for path, container in app_containers(spec):
        for where, port in _listened(container):
            if port in reserved:
                yield Refusal(
                    "port-reserved", path + where, f"the sidecar listens on port {port}", "let the app use another port"
                )
            elif port in called:
                yield Refusal(
                    "port-collision",
                    path + where,
                    f"the sidecar listens on port {port} for {called[port]}: an app on 0.0.0.0:{port} cannot start",
                    "let the app use another port, or use the annotation lawflow.dev/interception: redirect",
                )


def _listened(container: Object) -> Iterator[tuple[str, Any]]:
    for position, port in enumerate(container.get("ports") or ()):
        if port.get("protocol", "TCP") == "TCP":
            yield f".ports[{position}].containerPort", port.get("containerPort")
    for probe in _PROBES:
        for handler in _HANDLERS:
            port = ((container.get(probe) or {}).get(handler) or {}).get("port")
            # A name stands for a declared port, which is listed above.
            if isinstance(port, int):
                yield f".{probe}.{handler}.port", port
