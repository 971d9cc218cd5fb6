"""The cluster's engine over a folder: its controller, its xDS server and its gate in one process."""

import asyncio
import contextlib
import datetime as dt
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lawflow.controller import authority, protection
from lawflow.controller.engine import Controller
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World as ControllerWorld
from lawflow.identity.credential import Credential, issue_credential
from lawflow.identity.lifecycle import AuthorityState
from lawflow.identity.pem import certificates_to_pem, new_private_key, private_key_to_pem
from lawflow.identity.rotation import renewal_time
from lawflow.identity.spiffe import SpiffeId
from lawflow.law import LegalData, default_legal_data
from lawflow.mesh.bootstrap import Server
from lawflow.mesh.sidecar import Identity, MeshSettings, Placement
from lawflow.model.kinds import SERVICE
from lawflow.model.trust_bundle import SYSTEM_NAMESPACE, XDS_SERVICE_ACCOUNT
from lawflow.standalone import topology
from lawflow.standalone.app_roots import write_app_roots
from lawflow.standalone.envoy import envoy_binary
from lawflow.standalone.host import Host
from lawflow.standalone.report import Event, Report
from lawflow.standalone.sidecars import RunningSidecar, Sidecars
from lawflow.store.folder import FolderStore
from lawflow.store.manifests import STATE
from lawflow.xds.acknowledgement import note_acknowledgements
from lawflow.xds.credentials import Credentials
from lawflow.xds.external_roots import PUBLIC, ExternalRoots
from lawflow.xds.server import DiscoveryService, ServerCredentials, start
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.watch import watch
from lawflow.xds.world import World

HOST_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where Linux distributions keep the authorities that a host trusts; the public ones count where it has none there."""
APP_ROOTS = "app-roots"
"""Folder in the state, with the roots of each namespace's apps for TLS that their sidecars end: NAMESPACE.pem."""
_HOST = "127.0.0.1"


class FolderInUseError(Exception):
    """Another process runs this folder."""


@dataclass(frozen=True)
class StandaloneSettings:
    """What to run, and how."""

    folder: Path
    trust_domain: str = "cluster.local"
    certificate_life: dt.timedelta = dt.timedelta(hours=1)
    """Life of a sidecar's certificate; it is renewed at half of it."""
    xds_port: int = 0
    """Port of 127.0.0.1 where sidecars fetch their configuration; 0 takes a free one."""
    legal: LegalData = field(default_factory=default_legal_data)
    disabled_rules: frozenset[str] = frozenset()
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    external_roots: Path | None = None
    """Certificate authorities, PEM, that hosts outside are known by beside those that this host trusts."""


@dataclass
class Standalone:
    """A folder that runs."""

    settings: StandaloneSettings
    store: FolderStore
    environment: Environment
    sidecars: Sidecars
    service: DiscoveryService
    xds_port: int

    async def sidecar(self, namespace: str, service_account: str) -> RunningSidecar:
        """The sidecar of a service account, once it is ready; waits for as long as that takes."""
        identity = Identity(namespace, service_account)
        while True:
            change = self.sidecars.change()
            found = self.sidecars.running.get(identity)
            if found is not None and found.ready.is_set():
                return found
            await change.wait()

    def loopback(self, namespace: str, service_account: str, host: str) -> str:
        """The address at which the app of a service account calls a host, e.g. ``billing.shop.svc``."""
        identity = Identity(namespace, service_account)
        destinations = topology.destinations(identity, self.environment.world.references.flows(), self._scope)
        return next(destination.address for destination in destinations if destination.host == host)

    def credential(self, namespace: str, service_account: str, life: dt.timedelta | None = None) -> Credential:
        """A certificate for a service account, as its sidecar gets one."""
        return _issue(self.environment, namespace, service_account, life or self.settings.certificate_life)

    @property
    def bundle(self) -> str:
        """The trusted roots as PEM."""
        return self.environment.authority[0].bundle.to_pem()

    @property
    def _scope(self) -> str:
        return str(self.settings.folder.resolve())


@contextlib.asynccontextmanager
async def standalone(settings: StandaloneSettings, report: Report) -> AsyncIterator[Standalone]:
    """Run a folder for as long as the context lasts.

    Raises StoreError where there is no folder, FolderInUseError, EnvoyError, and AddressInUseError for the port of the
    xDS server. If a part of the engine fails later, the context is cancelled and the failure raised.
    """
    await asyncio.to_thread(envoy_binary)
    store = FolderStore(settings.folder)
    await store.list(SERVICE)
    with _lock(settings.folder), tempfile.TemporaryDirectory(prefix="lawflow-") as sockets:
        state = settings.folder / STATE
        _clear(state)
        environment = _environment(settings, store)
        await authority.reconcile(environment, "", "")
        sidecars = Sidecars(state / "sidecars", Path(sockets))
        world = World()
        secret = await protection.master(environment)
        placement = _placement(settings, sidecars)
        roots = _external_roots(settings)
        credentials = Credentials(lambda: environment.authority[0].token_keys, settings.clock)
        snapshots = Snapshots(
            world,
            _mesh(settings),
            placement,
            master=lambda: secret,
            external_roots=roots,
            credential=credentials,
        )
        service = DiscoveryService(snapshots, settings.trust_domain)
        server, port = await start(service, _HOST, settings.xds_port, _server_credentials(environment, settings))
        own = SpiffeId(settings.trust_domain, SYSTEM_NAMESPACE, XDS_SERVICE_ACCOUNT)
        host = Host(store, environment, sidecars, report, Server(_HOST, port, str(own)))
        controller = Controller(environment)
        try:
            async with asyncio.TaskGroup() as group:
                await controller.resync()
                tasks = [
                    group.create_task(work)
                    for work in (
                        controller.run(),
                        controller.follow(),
                        watch(store, world, snapshots, SYSTEM_NAMESPACE),
                        snapshots.renew(),
                        write_app_roots(store, state / APP_ROOTS),
                        note_acknowledgements(service, store),
                        _tell_rejections(service, report),
                        _watch_authority(environment, settings),
                        host.run(),
                    )
                ]
                yield Standalone(settings, store, environment, sidecars, service, port)
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as group:
            # Who uses the context is told what went wrong, not how it was run.
            raise _first(group) from group
        finally:
            await sidecars.close()
            await server.stop(None)
            _clear(state)


def _environment(settings: StandaloneSettings, store: FolderStore) -> Environment:
    life = settings.certificate_life
    controller = Settings(
        namespace=SYSTEM_NAMESPACE,
        trust_domain=settings.trust_domain,
        delivery="secret",
        credential_lifetime=life,
        bundle_settling=life,
        legal=settings.legal,
        disabled_rules=settings.disabled_rules,
        guard_secrets=False,
        network_policies=False,
        terminates=True,
        workers=2,
        tick=min(dt.timedelta(seconds=5), life / 40),
    )
    return Environment(store, ControllerWorld(), controller, settings.clock)


def _mesh(settings: StandaloneSettings) -> MeshSettings:
    return MeshSettings(
        settings.trust_domain,
        terminates=True,
        max_connection_duration=settings.certificate_life.total_seconds() / 2,
    )


def _external_roots(settings: StandaloneSettings) -> ExternalRoots:
    own = [settings.external_roots] if settings.external_roots else []
    return ExternalRoots(HOST_ROOTS if HOST_ROOTS.exists() else PUBLIC, *own)


def _placement(settings: StandaloneSettings, sidecars: Sidecars) -> Callable[[Identity], Placement]:
    folder = str(settings.folder.resolve())

    def place(identity: Identity) -> Placement:
        return Placement(
            topology.address(identity, folder),
            topology.loopback_scope(identity, folder),
            str(sidecars.certificate_directory(identity)),
        )

    return place


def _server_credentials(environment: Environment, settings: StandaloneSettings) -> Callable[[], ServerCredentials]:
    """The xDS server's own certificate, new where the authority is, or at half its life."""
    held: list[tuple[AuthorityState, Credential]] = []

    def credentials() -> ServerCredentials:
        state = environment.authority[0]
        if not held or held[0][0] is not state or renewal_time(held[0][1].chain[0]) <= settings.clock():
            issued = _issue(environment, SYSTEM_NAMESPACE, XDS_SERVICE_ACCOUNT, settings.certificate_life)
            held[:] = [(state, issued)]
        own = held[0][1]
        return ServerCredentials(private_key_to_pem(own.key), certificates_to_pem(own.chain), state.bundle.to_pem())

    return credentials


def _issue(environment: Environment, namespace: str, service_account: str, life: dt.timedelta) -> Credential:
    spiffe_id = SpiffeId(environment.settings.trust_domain, namespace, service_account)
    return issue_credential(
        environment.authority[0].issuer,
        spiffe_id,
        key=new_private_key(),
        now=environment.now,
        random=secrets.token_bytes,
        lifetime=life,
    )


async def _tell_rejections(service: DiscoveryService, report: Report) -> None:
    told: dict[tuple[str, str], str] = {}
    while True:
        answered = service.answer()
        for connection in service.connections():
            for type_url, reason in connection.rejected.items():
                if told.get((connection.node, type_url)) != reason:
                    told[connection.node, type_url] = reason
                    text = f"its Envoy keeps the last configuration, because it rejects the new one: {reason}"
                    report(Event("problem", connection.node, text))
        await answered.wait()


async def _watch_authority(environment: Environment, settings: StandaloneSettings) -> None:
    """Look at the authority often enough for lives that are shorter than a cluster's."""
    while True:
        await asyncio.sleep(min(60.0, settings.certificate_life.total_seconds() / 8))
        environment.queue.add(authority.KEY)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    (folder / STATE).mkdir(mode=0o700, exist_ok=True)
    # Keys lie in there.
    (folder / STATE / ".gitignore").write_text("*\n", encoding="utf-8")
    descriptor = os.open(folder / STATE / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderInUseError(f"{folder} is run by another process: end it, or run a copy of the folder") from None
    else:
        yield
    finally:
        os.close(descriptor)


def _clear(state: Path) -> None:
    """Remove what speaks of running sidecars, also where the last run was killed."""
    for name in ("sidecars", APP_ROOTS, "objects/Pod", "objects/EndpointSlice", "status/Pod"):
        shutil.rmtree(state / name, ignore_errors=True)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
