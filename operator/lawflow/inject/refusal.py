"""Why a pod cannot get a sidecar: the list of checks, in the order in which their reasons are told."""

import re
from collections.abc import Iterator, Sequence
from typing import cast, get_args

from lawflow.inject.containers import all_containers
from lawflow.inject.genuine import has_genuine_sidecar
from lawflow.inject.host_aliases import alias_conflicts
from lawflow.inject.isolation import isolation_breaches
from lawflow.inject.ports import port_collisions
from lawflow.inject.result import Refusal
from lawflow.inject.settings import InjectionSettings
from lawflow.inject.sysctls import sysctl_conflicts
from lawflow.inject.volumes import NAMES
from lawflow.model import labels
from lawflow.model.loopback import LoopbackDestination
from lawflow.model.sidecar import OWN_CONTAINERS, Interception
from lawflow.model.workload import Object, PodTemplate

_WINDOWS_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def guard(pod: Object, settings: InjectionSettings) -> tuple[Refusal, ...]:
    """What no pod with a sidecar may do, be it new or running; also for reviews of ``pods/ephemeralcontainers``."""
    spec = pod["spec"]
    account = PodTemplate("", {}, spec).service_account
    return (*_host_network(spec), *_windows(spec), *isolation_breaches(spec, settings, account))


def refusals(pod: Object, mode: str, destinations: Sequence[LoopbackDestination]) -> tuple[Refusal, ...]:
    """What keeps a pod without a genuine sidecar from getting one."""
    spec = pod["spec"]
    if mode not in get_args(Interception):
        return tuple(_unknown_mode(mode))
    found = [*_taken_names(spec), *port_collisions(spec, cast("Interception", mode), destinations)]
    if mode == "redirect":
        found += _unreadable_ports(pod)
    if mode == "explicit":
        found += _unaliasable(destinations)
        found += alias_conflicts(spec, destinations)
        found += sysctl_conflicts(spec, destinations)
    return tuple(found)


def _host_network(spec: Object) -> Iterator[Refusal]:
    if spec.get("hostNetwork"):
        yield Refusal(
            "host-network",
            ".spec.hostNetwork",
            "a sidecar cannot tell this pod's traffic from that of its node",
            "remove hostNetwork, or move the calls that carry personal data to a pod without it",
        )


def _windows(spec: Object) -> Iterator[Refusal]:
    fix = "run the workload on Linux nodes"
    message = "the sidecar runs on Linux only"
    if (spec.get("os") or {}).get("name") == "windows":
        yield Refusal("windows", ".spec.os.name", message, fix)
    for label in _WINDOWS_LABELS:
        if (spec.get("nodeSelector") or {}).get(label) == "windows":
            yield Refusal("windows", f".spec.nodeSelector['{label}']", message, fix)


def _unknown_mode(mode: str) -> Iterator[Refusal]:
    yield Refusal(
        "unknown-interception",
        f".metadata.annotations['{labels.INTERCEPTION}']",
        f"there is no mode {mode!r}, be it chosen here or by the namespace's label",
        "use " + " or ".join(get_args(Interception)),
    )


def _unreadable_ports(pod: Object) -> Iterator[Refusal]:
    listed = ((pod.get("metadata") or {}).get("annotations") or {}).get(labels.UDP_PORTS)
    for port in labels.names(listed):
        if labels.port(port) is None:
            yield Refusal(
                "udp-port-unreadable",
                f".metadata.annotations['{labels.UDP_PORTS}']",
                f"{port!r} is no port",
                "list port numbers, separated by commas, such as 123,8125",
            )


def _taken_names(spec: Object) -> Iterator[Refusal]:
    for path, container in all_containers(spec):
        if container.get("name") in OWN_CONTAINERS:
            yield Refusal(
                "sidecar-not-genuine",
                path,
                f"this container is called {container['name']} but is not that of a release that is in use",
                "remove it together with its volumes, and let Lawflow inject its own",
            )
    for position, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("name") in NAMES:
            yield Refusal(
                "volume-name-taken",
                f".spec.volumes[{position}].name",
                f"the name {volume['name']} belongs to a volume of the sidecar",
                "give the volume another name",
            )


def _unaliasable(destinations: Sequence[LoopbackDestination]) -> Iterator[Refusal]:
    for destination in destinations:
        for name in destination.names:
            if not _HOST_NAME.fullmatch(name) or name.replace(".", "").isdigit():
                yield Refusal(
                    "destination-without-name",
                    ".spec.hostAliases",
                    f"the declared destination {name!r} is no host name, so no host alias can lead to the sidecar",
                    "declare the destination by its DNS name, or use the annotation lawflow.dev/interception: redirect",
                )


def flaws(pod: Object, settings: InjectionSettings) -> tuple[str, ...]:
    """Why a running pod must get no certificate: its sidecar is not genuine, or others can reach into it."""
    found = tuple(str(each) for each in guard(pod, settings))
    return found if has_genuine_sidecar(pod, settings) else ("it has no genuine sidecar", *found)
