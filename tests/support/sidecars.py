"""Sidecars whose world the test holds in its hand: an xDS server that can be stopped, and Envoys that outlive it."""

import asyncio
import contextlib
import datetime as dt
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from lawflow.controller.serving import dns_names
from lawflow.identity.authority import create_intermediate, create_root, issue_x509_svid
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import Credential, issue_credential
from lawflow.identity.pem import certificates_to_pem, new_private_key, private_key_to_pem
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.token_key import TokenKey, TokenKeys
from lawflow.mesh.bootstrap import Server
from lawflow.mesh.sidecar import Identity, MeshSettings, Placement, PodNetwork
from lawflow.model.kinds import DATA_FLOW, ENDPOINT_SLICE, SERVICE
from lawflow.model.loopback import loopback_addresses
from lawflow.standalone.sidecars import RunningSidecar, Sidecars
from lawflow.store.protocol import WatchEvent
from lawflow.xds.credentials import Credentials
from lawflow.xds.following import Servers, stand_by
from lawflow.xds.handover import Handover
from lawflow.xds.last_known import LastKnown
from lawflow.xds.server import DiscoveryService, ServerCredentials, start
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.world import World

TRUST_DOMAIN = "example.org"
SYSTEM, SERVER = "lawflow-system", "lawflow-xds"
STANDBY = Identity(SYSTEM, "lawflow-standby")
EGRESS = Identity(SYSTEM, "lawflow-egress")
_ADDRESSES = {4: "192.0.2.7", 6: "2001:db8::7"}
API_SERVER = ("default", "kubernetes", 443)


def flow(source: str, destination: str, path: str) -> dict[str, Any]:
    """A lawful flow in the namespace shop."""
    condition = {"type": "Lawful", "status": "True", "reason": "Lawful", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {
        "apiVersion": "lawflow.dev/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": f"{source}-to-{destination}", "namespace": "shop"},
        "spec": {
            "source": {"serviceAccountName": source},
            "destination": {"service": {"name": destination, "port": 8080}, "role": "sameController"},
            "operations": [{"name": "read", "methods": ["GET"], "path": path}],
        },
        "status": {"conditions": [condition]},
    }


@dataclass
class Mesh:
    """A trust domain, a world, and the sidecars that live in it."""

    directory: Path
    world: World = field(default_factory=lambda: World(EGRESS))
    external_roots: str = ""
    master: bytes = b""
    """The secret that keys derive from; with one, the TLS of apps to hosts outside can be ended."""
    port: int = 0
    networks: dict[str, PodNetwork] = field(default_factory=dict)
    """Networks of service accounts' pods, where they are not those of a host."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Addresses of pods that are no loopback addresses of the test's own."""
    standby_port: int = 0
    """Where the standby serves; 0 for none."""
    _server: grpc.aio.Server | None = None

    def __post_init__(self) -> None:
        now = dt.datetime.now(dt.UTC)
        root = create_root(TRUST_DOMAIN, key=new_private_key(), now=now, random=secrets.token_bytes)
        self._issuer = create_intermediate(root, key=new_private_key(), now=now, random=secrets.token_bytes)
        self.token_keys = TokenKeys((TokenKey(new_private_key(), now),))
        self.bundle = TrustBundle(TRUST_DOMAIN, (root.certificate,))
        (self.directory / "sockets").mkdir()
        self.sidecars = Sidecars(self.directory / "sidecars", self.directory / "sockets")
        self.service = self._new_service()

    def credential(self, namespace: str, service_account: str) -> Credential:
        return issue_credential(
            self._issuer,
            SpiffeId(TRUST_DOMAIN, namespace, service_account),
            key=new_private_key(),
            now=dt.datetime.now(dt.UTC),
            random=secrets.token_bytes,
        )

    def address(self, service_account: str) -> str:
        loopback = loopback_addresses([service_account], str(self.directory))[service_account]
        return self.addresses.get(service_account, loopback)

    def outbound(self, service_account: str, destination: str) -> str:
        host = f"{destination}.shop.svc"
        return loopback_addresses([host], f"{self.directory}{service_account}")[host]

    async def counted(self, filter_: str, service_account: str = "orders") -> dict[str, int]:
        """What a sidecar has counted by now under names that this expression matches; what is not 0."""
        (sidecar,) = [
            each for each in self.sidecars.running.values() if each.identity.service_account == service_account
        ]
        _, text = await sidecar.process.admin(f"/stats?filter={filter_}&usedonly")
        pairs = (line.rpartition(": ") for line in text.splitlines())
        return {name: int(value) for name, _, value in pairs if value.isdigit() and value != "0"}

    def put(self, declared: dict[str, Any], *more: str) -> None:
        """Add or change a flow, and the endpoints of its destination; of a host outside, those of the gateway.

        ``more`` are addresses of further endpoints.
        """
        self.world.take(DATA_FLOW, WatchEvent("ADDED", declared))
        service = declared["spec"]["destination"].get("service")
        name, namespace = (service["name"], "shop") if service else (EGRESS.service_account, EGRESS.namespace)
        metadata = {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}}
        endpoints = [{"addresses": [address]} for address in (self.address(name), *more)]
        self.world.take(ENDPOINT_SLICE, WatchEvent("ADDED", {"metadata": metadata, "endpoints": endpoints}))
        self.snapshots.touch()

    def local_port(self, service: str, port: int) -> None:
        """Let a Service's pods serve its port at ``port``."""
        spec = {"ports": [{"port": 8080, "targetPort": port}]}
        obj = {"metadata": {"name": service, "namespace": "shop"}, "spec": spec}
        self.world.take(SERVICE, WatchEvent("ADDED", obj))
        self.snapshots.touch()

    async def serve(self, credential: Credential | None = None) -> None:
        """Start the xDS server, with a memory of nothing."""
        self.service = self._new_service()
        pem = self.server_credentials(credential or self._serving(SERVER))
        handover = Handover(self.snapshots, STANDBY, TRUST_DOMAIN).handler()
        self._server, self.port = await start(self.service, "127.0.0.1", self.port, lambda: pem, handover)

    @contextlib.asynccontextmanager
    async def standing_by(self) -> AsyncIterator[LastKnown]:
        """A standby for the sidecars that start within; yields what it knows.

        It follows the xDS server, and until that is reached the standby around this block, if there is one.
        """
        known = LastKnown()
        pem = self.server_credentials(self._serving(STANDBY.service_account))
        service = DiscoveryService(known, TRUST_DOMAIN, resumes=False)
        around = self.standby_port
        xds, other = (dns_names(each, SYSTEM)[0] for each in (SERVER, STANDBY.service_account))
        handover = Handover(known, STANDBY, TRUST_DOMAIN).handler()
        server, self.standby_port = await start(service, "127.0.0.1", 0, lambda: pem, handover)
        servers = Servers("127.0.0.1", self.port, xds), Servers("127.0.0.1", around or self.standby_port, other)
        following = asyncio.create_task(stand_by(known, *servers, lambda: pem))
        try:
            yield known
        finally:
            following.cancel()
            await asyncio.wait([following])
            await server.stop(None)

    async def end_server(self) -> None:
        """Kill the xDS server."""
        assert self._server is not None
        await self._server.stop(None)

    async def sidecar(self, service_account: str, namespace: str = "shop") -> RunningSidecar:
        """Start a sidecar."""
        credential = self.credential(namespace, service_account)
        files = {
            "tls.key": private_key_to_pem(credential.key),
            "tls.crt": certificates_to_pem(credential.chain),
            "ca.crt": self.bundle.to_pem(),
        }
        network = self.networks.get(service_account, PodNetwork())
        servers = {Identity(SYSTEM, SERVER): self.port, STANDBY: self.standby_port}
        return await self.sidecars.start(
            Identity(namespace, service_account),
            f"{namespace}/{service_account}-1",
            self.address(service_account),
            files,
            *(Server("127.0.0.1", port, each.spiffe_id(TRUST_DOMAIN)) for each, port in servers.items() if port),
            addresses=",".join(_ADDRESSES[family] for family in network.families),
            interception="redirect" if network.redirected else "explicit",
        )

    async def close(self) -> None:
        await self.sidecars.close()
        await self.end_server()

    def _serving(self, server: str) -> Credential:
        """What the controller issues to a server that sidecars call."""
        key, spiffe_id = new_private_key(), SpiffeId(TRUST_DOMAIN, SYSTEM, server)
        chain = issue_x509_svid(
            self._issuer, spiffe_id, key.public_key(), now=dt.datetime.now(dt.UTC), random=secrets.token_bytes,
            dns_names=dns_names(server, SYSTEM),
        )  # fmt: skip
        return Credential(key, chain)

    def server_credentials(self, own: Credential) -> ServerCredentials:
        """A credential as servers have it, and whoever calls the xDS server by gRPC."""
        roots = certificates_to_pem(self.bundle.roots)
        return ServerCredentials(private_key_to_pem(own.key), certificates_to_pem(own.chain), roots)

    def _new_service(self) -> DiscoveryService:
        self.snapshots = Snapshots(
            self.world,
            self._settings(),
            self._place,
            master=lambda: self.master,
            coalescing_seconds=0.01,
            external_roots=lambda: Path(self.external_roots).read_text(),
            credential=Credentials(lambda: self.token_keys),
        )
        self.snapshots.trust(self.bundle.to_pem(), self.bundle.version)
        self.snapshots.open()
        return DiscoveryService(self.snapshots, TRUST_DOMAIN)

    def _settings(self) -> MeshSettings:
        return MeshSettings(
            TRUST_DOMAIN, egress=EGRESS, terminates=bool(self.master), system_destinations=(API_SERVER,)
        )

    def _place(self, identity: Identity) -> Placement:
        account = identity.service_account
        directory = self.sidecars.certificate_directory(identity)
        return Placement(self.address(account), f"{self.directory}{account}", str(directory))


@contextlib.asynccontextmanager
async def mesh(directory: Path, external_roots: str = "", master: bytes = b"") -> AsyncIterator[Mesh]:
    """A mesh whose server runs."""
    made = Mesh(directory, external_roots=external_roots, master=master)
    await made.serve()
    try:
        yield made
    finally:
        await made.close()
