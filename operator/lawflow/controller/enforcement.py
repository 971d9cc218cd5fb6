"""Where a flow is in force: the workloads at both its ends, and what their live pods lack."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lawflow.controller.capture import explained, weightiest
from lawflow.controller.world import World
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.loopback import loopback_destinations
from lawflow.store.protocol import Object


@dataclass(frozen=True)
class WorkloadState:
    """A workload at one end of a flow, and how many of its live pods have the sidecar."""

    kind: str
    name: str
    side: Literal["source", "destination"]
    pods: int = 0
    injected: int = 0
    opted_in: bool = True
    """Whether its namespace has sidecars injected."""
    static: bool = False
    """Whether it is a static pod, which the kubelet runs whatever the API server says."""
    unaware: int = 0
    """Pods with a sidecar that were made before the flow, and do not lead its destination's names to the sidecar."""
    rejecting: int = 0
    """Pods whose sidecar did not take its last configuration."""
    rejection: str = ""
    """Why not."""
    sidecars: tuple[str, ...] = ()
    """What the sidecars say of themselves: version of the module, and of the policies' schema."""
    forgotten: int = 0
    """Pods whose sidecar is of a release that this control plane does not know."""
    exposed: int = 0
    """Pods whose own ports are not closed to connections past the sidecar, but for a NetworkPolicy."""
    escaping: int = 0
    """Pods in mode redirect that are not captured whole."""
    escape: str = ""
    """The weightiest reason for that."""

    @property
    def reason(self) -> str:
        """Why the flow is not in force there; empty where it is."""
        return self.shortfall[0]

    @property
    def shortfall(self) -> tuple[str, str]:
        """Reason and message of what keeps the flow from being in force there; empty where nothing does."""
        workload = f"{self.pods} pods of {self.kind} {self.name}"
        if self.pods == 0:
            return "NoPods", f"{self.kind} {self.name} has no pods"
        if self.static:
            message = f"{self.kind} {self.name} is a static pod, which can be neither refused nor given a sidecar"
            return "StaticPod", f"{message}: run it as a DaemonSet"
        if self.injected < self.pods:
            lacking = f"{self.pods - self.injected} of {workload} lack the sidecar"
            if self.opted_in:
                return "RestartRequired", f"{lacking}: roll the workload out again so that its pods get one"
            fix = "label the namespace lawflow.dev/inject: enabled and roll the workload out again"
            return "NoEnforcer", f"{lacking}: {fix}"
        if self.escape:
            return self.escape, explained(self.escape, f"{self.escaping} of {workload}")
        if self.rejecting:
            return "PolicyRejected", (
                f"the sidecars of {self.rejecting} of {workload} keep their last configuration and reject the new one: "
                f"{self.rejection}"
            )
        if self.forgotten:
            return "RestartRequired", (
                f"the sidecars of {self.forgotten} of {workload} are of a release that this control plane does not "
                "know, newer or too old, and get no new certificate: roll the workload out again"
            )
        if self.unaware:
            return "RestartRequired", (
                f"{self.unaware} of {workload} were made before this flow, and do not reach its destination through "
                "their sidecar: roll the workload out again"
            )
        return "", ""


def workload_states(world: World, flow: DataFlow, releases: Collection[str] | None = None) -> Iterator[WorkloadState]:
    """The workloads at both ends of a flow, with the state of their live pods.

    ``releases`` are the versions of sidecars that count as genuine; ``None`` for all.
    """
    namespace, source = flow.metadata.namespace, flow.spec.source.service_account_name
    pods = _pods_by_owner(world, namespace)
    for obj, template in world.workloads(namespace):
        if template.service_account == source:
            yield _state(world, obj, "source", pods, releases, flow)
        elif flow.metadata.name in template.declared_flows:
            yield _state(world, obj, "source", pods, releases)
    service = flow.spec.destination.service
    if service is None:
        return
    where = service.namespace or namespace
    pods = _pods_by_owner(world, where)
    for obj, template in world.workloads(where):
        if template.service_account == (service.service_account_name or service.name):
            yield _state(world, obj, "destination", pods, releases)


_Owned = dict[tuple[str, str], list[Object]]
"""Live pods by kind and name of their workload."""


def _pods_by_owner(world: World, namespace: str) -> _Owned:
    found: _Owned = {}
    for pod in world.live_pods(namespace):
        owner = world.owner(pod)
        found.setdefault((owner["kind"], owner["metadata"]["name"]), []).append(pod)
    return found


def _state(
    world: World,
    workload: Object,
    side: Literal["source", "destination"],
    owned: _Owned,
    releases: Collection[str] | None,
    leaving: DataFlow | None = None,
) -> WorkloadState:
    """``leaving`` is the flow where the workload's own sidecars carry it out."""
    metadata = workload["metadata"]
    pods = owned.get((workload["kind"], metadata["name"]), [])
    annotated = [pod["metadata"]["annotations"] for pod in pods]
    rejections = [found[labels.POLICY_REJECTED] for found in annotated if labels.POLICY_REJECTED in found]
    injected = [found for found in annotated if labels.INJECTED in found]
    escapes = [reason for pod in pods if (reason := pod["status"].get("capture"))]
    return WorkloadState(
        workload["kind"],
        metadata["name"],
        side,
        pods=len(pods),
        injected=len(injected),
        opted_in=world.opted_in(metadata["namespace"]),
        static=labels.MIRROR in (metadata.get("annotations") or {}),
        unaware=len(list(_unaware(pods, leaving))) if leaving else 0,
        rejecting=len(rejections),
        rejection=rejections[0] if rejections else "",
        sidecars=tuple(sorted({found[labels.MODULE] for found in injected if labels.MODULE in found})),
        forgotten=sum(releases is not None and found[labels.INJECTED] not in releases for found in injected),
        exposed=sum(side == "destination" and found.get(labels.INTERCEPTION) == "explicit" for found in injected),
        escaping=len(escapes),
        escape=weightiest(iter(escapes)),
    )


def _unaware(pods: Iterable[Object], flow: DataFlow) -> Iterator[Object]:
    """Pods in mode ``explicit`` that were given no aliases for the flow's destination: only a new pod gets them."""
    (destination,) = loopback_destinations([flow])
    for pod in pods:
        if pod["metadata"]["annotations"].get(labels.INTERCEPTION) == "explicit":
            aliases = pod["spec"].get("hostAliases") or ()
            if not any(destination.host in (alias.get("hostnames") or ()) for alias in aliases):
                yield pod
