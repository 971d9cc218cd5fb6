"""Mode explicit: leave to bind ports below 1024 without any capability."""

from collections.abc import Iterable
from typing import Any

from lawflow.inject.result import Refusal
from lawflow.model.loopback import LoopbackDestination
from lawflow.model.workload import Object

UNPRIVILEGED_PORT_START = "net.ipv4.ip_unprivileged_port_start"
"""A safe sysctl of the pod's own network namespace, allowed by Pod Security ``baseline`` and ``restricted``."""
_KERNEL_DEFAULT = 1024


def with_unprivileged_ports(spec: dict[str, Any], destinations: Iterable[LoopbackDestination]) -> None:
    """Let the sidecar bind the declared ports, where one is below 1024 and the pod does not allow it already."""
    if _lowest(destinations) >= _KERNEL_DEFAULT or _own(spec):
        return
    context = spec["securityContext"] = dict(spec.get("securityContext") or {})
    context["sysctls"] = [*(context.get("sysctls") or ()), {"name": UNPRIVILEGED_PORT_START, "value": "0"}]


def sysctl_conflicts(spec: Object, destinations: Iterable[LoopbackDestination]) -> list[Refusal]:
    """An own value of the sysctl that keeps the sidecar from binding a declared port."""
    lowest = _lowest(destinations)
    return [
        Refusal(
            "sysctl-conflict",
            f".spec.securityContext.sysctls[{position}].value",
            f"{UNPRIVILEGED_PORT_START} is {value}, so the sidecar cannot listen on the declared port {lowest}",
            "set it to 0 or remove it, or use the annotation lawflow.dev/interception: redirect",
        )
        for position, value in _own(spec)
        if not value.isdigit() or int(value) > lowest
    ]


def _lowest(destinations: Iterable[LoopbackDestination]) -> int:
    return min((port for each in destinations for port in each.ports), default=_KERNEL_DEFAULT)


def _own(spec: Object) -> list[tuple[int, str]]:
    sysctls = (spec.get("securityContext") or {}).get("sysctls") or ()
    return [
        (position, str(each.get("value", "")))
        for position, each in enumerate(sysctls)
        if each.get("name") == UNPRIVILEGED_PORT_START
    ]
