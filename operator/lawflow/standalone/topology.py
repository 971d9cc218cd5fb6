"""Which sidecars a folder needs, and what a cluster's own controllers would have made of its Services. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lawflow.mesh.endpoint import SERVICE_NAME
from lawflow.mesh.sidecar import Identity
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.loopback import LoopbackDestination, loopback_addresses, loopback_destinations
from lawflow.model.workload import PodTemplate, pod_template
from lawflow.store.protocol import Object


class TopologyError(ValueError):
    """An object says something that cannot be run on this host; the message names it and the fix."""


@dataclass(frozen=True)
class Workload:
    """A workload of the folder: who it is, and where its app listens on this host."""

    kind: str
    name: str
    identity: Identity
    object: Object
    template: PodTemplate

    @property
    def local_port(self) -> int | None:
        """The port that its annotation names; ``None`` without one. Raises TopologyError."""
        text = (self.template.metadata.get("annotations") or {}).get(labels.LOCAL_PORT)
        if text is None:
            return None
        if (port := labels.port(text)) is None:
            raise TopologyError(
                f"{self}: {self.template.path}.metadata.annotations[{labels.LOCAL_PORT}]: {text!r} is no port; "
                "name the port of 127.0.0.1 where the app listens, such as 8080"
            )
        return port

    def __str__(self) -> str:
        return f"{self.kind} {self.identity.namespace}/{self.name}"


def workloads(objects: Iterable[Object]) -> list[Workload]:
    """The workloads among objects, those that another one controls left out."""
    found = []
    for obj in objects:
        metadata = obj["metadata"]
        template = pod_template(obj)
        if template is not None and not any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
            identity = Identity(metadata.get("namespace", ""), template.service_account)
            found.append(Workload(obj["kind"], metadata["name"], identity, obj, template))
    return found


def concerned(flows: Iterable[DataFlow]) -> set[Identity]:
    """The service accounts at either end of a flow."""
    found = set()
    for flow in flows:
        namespace, spec = flow.metadata.namespace, flow.spec
        found.add(Identity(namespace, spec.source.service_account_name))
        if service := spec.destination.service:
            found.add(Identity(service.namespace or namespace, service.service_account_name or service.name))
    return found


def address(identity: Identity, folder: str) -> str:
    """The loopback address that stands for a sidecar's pod; the folder tells apart folders that run side by side."""
    name = f"{identity.namespace}/{identity.service_account}"
    return loopback_addresses([name], f"pod\0{folder}")[name]


def loopback_scope(identity: Identity, folder: str) -> str:
    """What tells apart the loopback addresses at which this workload's destinations are called."""
    return f"{folder}\0{identity.namespace}/{identity.service_account}"


def destinations(identity: Identity, flows: Iterable[DataFlow], folder: str) -> tuple[LoopbackDestination, ...]:
    """Where the app of a service account calls the destinations of its flows on this host."""
    own = [
        flow for flow in flows if Identity(flow.metadata.namespace, flow.spec.source.service_account_name) == identity
    ]
    return loopback_destinations(own, workload=loopback_scope(identity, folder))


def endpoint_slice(service: Object, behind: Sequence[Workload], folder: str) -> Object:
    """The EndpointSlice of a Service whose pods are sidecars of this host. Raises TopologyError."""
    metadata = service["metadata"]
    ports = []
    for port in (service.get("spec") or {}).get("ports") or ():
        number = next((each.local_port for each in behind if each.local_port), None) or _target(port, behind)
        ports.append({"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")})
    found = sorted({address(each.identity, folder) for each in behind})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-lawflow",
            "namespace": metadata.get("namespace", ""),
            "labels": {SERVICE_NAME: metadata["name"]},
        },
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in found],
    }


def selected(service: Object, among: Iterable[Workload]) -> list[Workload]:
    """The workloads whose pods a Service selects; none without a selector, as in a cluster."""
    selector: Mapping[str, Any] = (service.get("spec") or {}).get("selector") or {}
    namespace = service["metadata"].get("namespace", "")
    return [
        each
        for each in among
        if selector
        and each.identity.namespace == namespace
        and selector.items() <= (each.template.metadata.get("labels") or {}).items()
    ]


def _target(port: Mapping[str, Any], behind: Sequence[Workload]) -> int:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    for workload in behind:
        for container in workload.template.spec.get("containers") or ():
            for declared in container.get("ports") or ():
                if declared.get("name") == target:
                    return int(declared["containerPort"])
    return int(port["port"])
