"""The sidecars of one host: an Envoy process for each service account, started again where it ends unasked."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lawflow.mesh import tls
from lawflow.mesh.bootstrap import BootstrapSettings, Server, bootstrap
from lawflow.mesh.sidecar import Identity
from lawflow.model import sidecar as contract
from lawflow.standalone.delivery import deliver
from lawflow.standalone.envoy import EnvoyProcess, start_envoy
from lawflow.standalone.ports import require_free

MAXIMUM_BACK_OFF_SECONDS = 10.0
_LOOK_SECONDS = 0.02

_log = logging.getLogger(__name__)


@dataclass
class RunningSidecar:
    """One sidecar: where it listens and keeps its files, and the process of the moment."""

    identity: Identity
    node: str
    address: str
    directory: Path
    admin_socket: Path
    process: EnvoyProcess
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it has all its configuration."""
    deliveries: int = 0
    """Certificates that it was given so far."""


class Sidecars:
    """Starts, restarts and ends the sidecars of a folder, and hands them their certificates."""

    def __init__(self, directory: Path, sockets: Path) -> None:
        self.running: dict[Identity, RunningSidecar] = {}
        self._changed = asyncio.Event()
        self._directory = directory
        self._sockets = sockets
        self._keepers: dict[Identity, asyncio.Task[None]] = {}
        self._count = 0

    def certificate_directory(self, identity: Identity) -> Path:
        """Where the certificate of a service account is delivered to."""
        return self._directory / identity.namespace / identity.service_account / "certificate"

    async def start(
        self,
        identity: Identity,
        node: str,
        address: str,
        certificate: Mapping[str, str],
        *servers: Server,
        addresses: str = "",
        interception: str = "",
    ) -> RunningSidecar:
        """Start a sidecar that listens at ``address``; ``servers`` are its xDS servers, each for want of those before.

        ``addresses`` and ``interception`` are what a sidecar in a pod would tell them.

        Raises PortInUseError and EnvoyError.
        """
        require_free(address, contract.PEER_PORT, contract.HEALTH_PORT)
        await self._deliver(identity, certificate)
        self._count += 1
        socket = self._sockets / f"{self._count}.sock"
        settings = BootstrapSettings(
            servers,
            certificate_directory=str(self.certificate_directory(identity)),
            admin_socket=str(socket),
            addresses=addresses,
            interception=interception,
            health_address=address,
        )
        directory = self.certificate_directory(identity).parent
        process = await start_envoy(bootstrap(settings), directory, node=node)
        sidecar = RunningSidecar(identity, node, address, directory, socket, process, deliveries=1)
        self.running[identity] = sidecar
        self._keepers[identity] = asyncio.create_task(self._keep(sidecar, settings))
        return sidecar

    async def deliver(self, identity: Identity, certificate: Mapping[str, str]) -> None:
        """Replace the certificate of a running sidecar."""
        await self._deliver(identity, certificate)
        self.running[identity].deliveries += 1
        self._announce()

    def change(self) -> asyncio.Event:
        """The event of the next time that a sidecar becomes ready, ends, or is handed a certificate."""
        return self._changed

    async def stop(self, identity: Identity) -> None:
        """End a sidecar; fine where there is none."""
        sidecar = self.running.pop(identity, None)
        keeper = self._keepers.pop(identity, None)
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        if sidecar is not None:
            await sidecar.process.stop()

    async def close(self) -> None:
        """End all sidecars."""
        await asyncio.gather(*(self.stop(identity) for identity in list(self.running)))

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _deliver(self, identity: Identity, certificate: Mapping[str, str]) -> None:
        directory = self.certificate_directory(identity)
        files = {
            **certificate,
            contract.CERTIFICATE_SECRET_FILE: json.dumps(tls.certificate_secret_file(str(directory))),
            contract.TRUST_SECRET_FILE: json.dumps(tls.trust_secret_file(str(directory))),
        }
        await asyncio.to_thread(deliver, directory, files)

    async def _keep(self, sidecar: RunningSidecar, settings: BootstrapSettings) -> None:
        back_off = 0.1
        while True:
            await _ready(sidecar.process)
            sidecar.ready.set()
            self._announce()
            code = await sidecar.process.exited()
            sidecar.ready.clear()
            self._announce()
            _log.error("sidecar %s ended with code %s; see %s", sidecar.node, code, sidecar.process.log)
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, MAXIMUM_BACK_OFF_SECONDS)
            sidecar.process = await start_envoy(bootstrap(settings), sidecar.directory, node=sidecar.node)


async def _ready(process: EnvoyProcess) -> None:
    """Return when Envoy has all its configuration, or has ended."""
    exited = asyncio.create_task(process.exited())
    try:
        while not exited.done():
            with contextlib.suppress(OSError, ValueError):
                status, _ = await process.admin("/ready")
                if status == 200:
                    return
            await asyncio.wait([exited], timeout=_LOOK_SECONDS)
    finally:
        exited.cancel()
