"""What the store says that the mesh depends on: flows, Services, EndpointSlices."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from lawflow.mesh.endpoint import SERVICE_NAME, ready_addresses, served_addresses
from lawflow.mesh.passage import passage, verdict
from lawflow.mesh.sidecar import Identity, Passage, ServicePort, Whereabouts, destination_of, source_of
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import DATA_FLOW, ENDPOINT_SLICE, SERVICE, Kind
from lawflow.model.parse import InvalidObjectError, parse
from lawflow.resolve import Objects, resolve_flow
from lawflow.store.protocol import Object, WatchEvent

KINDS: tuple[Kind, ...] = (DATA_FLOW, SERVICE, ENDPOINT_SLICE)

Name = tuple[str, str]
"""Namespace and name."""

_NONE = (None, "", "None")
"""What a Service without an address of its own says of it."""

_log = logging.getLogger(__name__)


class World:
    """The latest of each object. What is served is only what follows from it."""

    def __init__(self, egress: Identity | None = None) -> None:
        self._egress = egress
        self._flows: dict[Name, DataFlow] = {}
        self._services: dict[Name, Object] = {}
        self._slices: dict[Name, dict[str, Object]] = defaultdict(dict)
        self._passages: dict[Identity, list[Passage]] | None = None

    def take(self, kind: Kind, event: WatchEvent) -> None:
        """Take one change in."""
        if event.type == "SYNCED":
            return
        obj = event.object
        name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        gone = event.type == "DELETED"
        if kind is ENDPOINT_SLICE:
            self._take_slice(name, obj, gone)
            return
        self._passages = None
        if kind is DATA_FLOW:
            before = self._flows.pop(name, None)
            if not gone and (flow := _flow(obj)) is not None:
                self._flows[name] = before if before and _is_edit_under_review(flow, before) else flow
        elif gone:
            self._services.pop(name, None)
        else:
            self._services[name] = obj

    def passages(self, identity: Identity) -> list[Passage]:
        """The flows that start or end at a service account, by namespace and name."""
        return self._by_identity().get(identity, [])

    def identities(self) -> list[Identity]:
        """The service accounts at either end of a flow."""
        return list(self._by_identity())

    def addresses(self, service: Name) -> tuple[str, ...]:
        """The addresses of the ready pods behind a Service."""
        return ready_addresses(self._slices[service].values()) if service in self._slices else ()

    def whereabouts(self, service: ServicePort) -> Whereabouts:
        """Where apps reach a port of a Service; nowhere while the Service or its port does not exist."""
        namespace, name, port = service
        spec = self._services.get((namespace, name), {}).get("spec") or {}
        declared = [each for each in spec.get("ports") or () if each.get("port") == port]
        named = next((each for each in declared if each.get("protocol", "TCP") == "TCP"), None)
        if named is None:
            return Whereabouts()
        slices = self._slices.get((namespace, name), {}).values()
        pods = served_addresses(slices, named.get("name") or "")
        virtual = [address for address in spec.get("clusterIPs") or (spec.get("clusterIP"),) if address not in _NONE]
        # A name without an address of its own gives those of its pods, whatever port the app calls them at.
        headless = () if virtual else ((address, port) for address, _ in pods)
        return Whereabouts(
            tuple((_canonical(address), port) for address in virtual), tuple(dict.fromkeys((*pods, *headless)))
        )

    def local_ports(self, identity: Identity) -> dict[ServicePort, int]:
        """Where the workloads of a service account serve the ports of their Services, as far as it differs."""
        found: dict[ServicePort, int] = {}
        for each in self.passages(identity):
            service = each.flow.flow.spec.destination.service
            if service is None or destination_of(each.flow) != identity:
                continue
            name = service.namespace or each.flow.namespace, service.name
            port = self._target_port(name, service.port)
            if port is not None:
                found[*name, service.port] = port
        return found

    def _target_port(self, service: Name, port: int) -> int | None:
        """Where pods serve a port: as the EndpointSlices say, which hold numbers even for named target ports."""
        spec = self._services.get(service, {}).get("spec") or {}
        for declared in spec.get("ports") or ():
            if declared.get("port") == port:
                target = declared.get("targetPort")
                numeric = target if isinstance(target, int) and target else None
                return self._sliced_port(service, declared.get("name") or "") or numeric
        return None

    def _sliced_port(self, service: Name, port_name: str) -> int | None:
        numbers = [
            port.get("port")
            for endpoint_slice in self._slices.get(service, {}).values()
            for port in endpoint_slice.get("ports") or ()
            if (port.get("name") or "") == port_name
        ]
        return next((number for number in numbers if isinstance(number, int)), None)

    def _take_slice(self, name: Name, obj: Object, gone: bool) -> None:
        namespace, slice_name = name
        # A trace of a deleted object has no labels, and labels may change: so forget it wherever it stood.
        for service, slices in list(self._slices.items()):
            if service[0] == namespace and slices.pop(slice_name, None) is not None and not slices:
                del self._slices[service]
        service_name = (obj["metadata"].get("labels") or {}).get(SERVICE_NAME)
        if not gone and service_name:
            self._slices[namespace, service_name][slice_name] = obj

    def _by_identity(self) -> dict[Identity, list[Passage]]:
        if self._passages is None:
            self._passages = self._all_passages()
        return self._passages

    def _all_passages(self) -> dict[Identity, list[Passage]]:
        objects = Objects(self._flows.values(), self._services.values())
        found: dict[Identity, list[Passage]] = defaultdict(list)
        for flow in objects.flows():
            each = passage(resolve_flow(flow, objects))
            for end in dict.fromkeys((source_of(each.flow), destination_of(each.flow, self._egress))):
                if end is not None:
                    found[end].append(each)
        return dict(found)


def _is_edit_under_review(flow: DataFlow, before: DataFlow) -> bool:
    """Whether a flow that was judged is now another and not judged yet: what was lawful goes on until it is.

    Closing it for the moments in between would fail requests at every edit.
    """
    return flow.metadata.uid == before.metadata.uid and verdict(flow) is None and verdict(before) is not None


def _canonical(address: str) -> str:
    """The address as Envoy writes it (RFC 5952)."""
    return ip_address(address).compressed


def _flow(obj: Mapping[str, Any]) -> DataFlow | None:
    try:
        found = parse(obj)
    except InvalidObjectError as error:
        metadata = obj["metadata"]
        _log.warning(
            "a DataFlow cannot be read and lets nothing through",
            extra={"namespace": metadata.get("namespace"), "flow": metadata["name"], "problem": str(error)},
        )
        return None
    return found if isinstance(found, DataFlow) else None
