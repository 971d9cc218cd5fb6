"""Does for a folder what a cluster's own controllers and kubelets do: pods, endpoints, sidecars, mounted Secrets."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lawflow import __version__
from lawflow.controller.settings import Environment
from lawflow.mesh.bootstrap import Server
from lawflow.mesh.sidecar import Identity
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import (
    DATA_FLOW,
    ENDPOINT_SLICE,
    POD,
    SECRET,
    SERVICE,
    WORKLOAD_KINDS,
)  # fmt: skip
from lawflow.model.parse import data_flows
from lawflow.model.sidecar import certificate_secret_name
from lawflow.standalone import gate, topology
from lawflow.standalone.envoy import EnvoyError
from lawflow.standalone.ports import PortInUseError
from lawflow.standalone.report import Event, EventKind, Report
from lawflow.standalone.sidecars import Sidecars
from lawflow.standalone.topology import TopologyError, Workload
from lawflow.store.folder import FolderStore

COALESCING_SECONDS = 0.05
RETRY_SECONDS = 2.0
"""How often a sidecar that could not start is tried again: nobody tells when a port becomes free."""

Key = tuple[str, str, str]


@dataclass
class Host:
    """Level-triggered: each look brings the host to what the folder says now, and reports what changed."""

    store: FolderStore
    environment: Environment
    sidecars: Sidecars
    report: Report
    xds: Server
    """Host, port and SPIFFE id of the xDS server."""
    _admitted: dict[Key, Workload] = field(default_factory=dict)
    _said: dict[str, object] = field(default_factory=dict)
    _failed: bool = False
    _delivered: dict[Identity, Mapping[str, str]] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """What tells the addresses of this folder from those of others."""
        return str(self.store.folder.resolve())

    async def run(self) -> None:
        """Look at each change, for ever."""
        changed = asyncio.Event()
        changed.set()

        async def follow(change: Callable[[], Awaitable[object]]) -> None:
            while True:
                await change()
                changed.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self.store.change))
            group.create_task(follow(lambda: self.sidecars.change().wait()))
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_SECONDS if self._failed else None):
                        await changed.wait()
                await asyncio.sleep(COALESCING_SECONDS)
                changed.clear()
                await self.look()

    async def look(self) -> None:
        """Bring the host to what the folder says now."""
        self._failed = False
        flows = data_flows(await self.store.list(DATA_FLOW))
        found = topology.workloads([obj for kind in WORKLOAD_KINDS for obj in await self.store.list(kind)])
        counted = f"{len(found)} workloads, {len(flows)} data flows; Ctrl-C ends it"
        self._say("watching", str(self.store.folder), counted, once="watching")
        for problem in self.store.problems:
            self._say("problem", problem.file, str(problem), once=str(problem))
        await gate.opt_in(
            self.store, {each.identity.namespace for each in found} | {f.metadata.namespace for f in flows}
        )
        admitted = await self._admit(found)
        concerned = topology.concerned(flows)
        wanted = {each.identity: each for each in admitted if each.identity in concerned}
        for identity in self.sidecars.running.keys() - wanted.keys():
            await self._end(identity)
        for identity, workload in sorted(wanted.items()):
            await self._provide(identity, workload)
        await self._endpoints(list(wanted.values()))
        for identity, sidecar in self.sidecars.running.items():
            if sidecar.ready.is_set():
                self._tell_ready(identity, flows)

    async def _admit(self, found: list[Workload]) -> list[Workload]:
        """Ask the gate about workloads that are new, were changed, or were refused before.

        Of a workload whose change is refused, what runs goes on, as in a cluster.
        """
        keys = {(each.kind, each.identity.namespace, each.name): each for each in found}
        for gone in self._admitted.keys() - keys.keys():
            del self._admitted[gone]
        asked = {key: each for key, each in keys.items() if not _same(self._admitted.get(key), each)}
        if asked:
            settings, now = self.environment.settings, self.environment.now
            known = await gate.knowledge(self.store, settings.legal, settings.disabled_rules, now.date())
            for key, each in asked.items():
                decision = gate.review(each, self._admitted.get(key), known, now)
                for text in decision.warnings:
                    self._say("warning", str(each), text, once=text)
                if decision.allowed:
                    self._admitted[key] = each
                    self._say("admitted", str(each))
                else:
                    self._say("denied", str(each), decision.message)
        return [self._admitted[key] for key in keys if key in self._admitted]

    async def _provide(self, identity: Identity, workload: Workload) -> None:
        """A running sidecar with the certificate that the controller wrote into its Secret."""
        name = certificate_secret_name(identity.service_account)
        secret = await self.store.get(SECRET, identity.namespace, name)
        if secret is None:
            return
        certificate = {file: base64.b64decode(text).decode() for file, text in secret["data"].items()}
        if identity in self.sidecars.running:
            if certificate != self._delivered.get(identity):
                await self.sidecars.deliver(identity, certificate)
                self.report(Event("rotated", str(workload), "has a new key and certificate"))
        else:
            await self._start(identity, workload, certificate)
        self._delivered[identity] = certificate

    async def _start(self, identity: Identity, workload: Workload, certificate: Mapping[str, str]) -> None:
        pod = gate.pod(workload)
        pod["metadata"]["annotations"][labels.INJECTED] = __version__
        node = f"{identity.namespace}/{pod['metadata']['name']}"
        address = topology.address(identity, self.folder)
        try:
            await self.sidecars.start(identity, node, address, certificate, self.xds)
        except (EnvoyError, PortInUseError) as error:
            self._say("problem", str(workload), str(error), once="start")
            self._failed = True
            return
        self._said.pop(f"problem {workload} start", None)
        await self.store.apply(POD, pod)
        status = {"phase": "Running", "podIP": address}
        await self.store.patch_status(POD, identity.namespace, pod["metadata"]["name"], status)

    async def _end(self, identity: Identity) -> None:
        node = self.sidecars.running[identity].node
        await self.sidecars.stop(identity)
        self._delivered.pop(identity, None)
        await self.store.delete(POD, identity.namespace, node.partition("/")[2])
        self._said.pop(f"ready {node}", None)
        self.report(Event("ended", node))

    async def _endpoints(self, running: list[Workload]) -> None:
        ready = [
            each
            for each in running
            if each.identity in self.sidecars.running and self.sidecars.running[each.identity].ready.is_set()
        ]
        for service in await self.store.list(SERVICE):
            behind = topology.selected(service, running)
            if not behind:
                continue
            try:
                wanted = topology.endpoint_slice(service, topology.selected(service, ready), self.folder)
            except TopologyError as error:
                self._say("problem", f"Service {service['metadata']['name']}", str(error))
                continue
            await self.store.apply(ENDPOINT_SLICE, wanted)

    def _tell_ready(self, identity: Identity, flows: list[DataFlow]) -> None:
        sidecar = self.sidecars.running[identity]
        reachable = {
            f"{destination.host.removesuffix('.svc')}:{port}": f"{destination.address}:{port}"
            for destination in topology.destinations(identity, flows, self.folder)
            for port in destination.ports
        }
        data = {"address": sidecar.address, "pid": sidecar.process.pid, "reachable": reachable}
        text = "; ".join(f"{name} is at {address}" for name, address in reachable.items())
        if self._said.get(f"ready {sidecar.node}") != data:
            self._said[f"ready {sidecar.node}"] = data
            self.report(Event("ready", sidecar.node, text, data))

    def _say(self, kind: EventKind, subject: str, message: str = "", once: str = "") -> None:
        """Report a state of a subject, where it is not what was reported last."""
        key = f"{kind} {subject} {once}" if once else f"verdict {subject}"
        if self._said.get(key) != (kind, message):
            self._said[key] = (kind, message)
            self.report(Event(kind, subject, message))


def _same(before: Workload | None, after: Workload) -> bool:
    return before is not None and before.object["metadata"]["generation"] == after.object["metadata"]["generation"]
