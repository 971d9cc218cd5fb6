"""Lawflow as it runs in a cluster: controller, configuration server, and the sidecars at both ends of a flow.

Everything is real but the pods: there is no kubelet, so each sidecar is an Envoy on this host, with the certificate
that the controller issued for its service account.
"""

import asyncio
import base64
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import OPTIONS, SECONDS, Verdicts, create_flows
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.controlling import until
from tests.support.ports import ReservedPort
from tests.support.server_process import ControllerProcess
from tests.support.waiting import eventually

from lawflow.controller.serving import secret_name
from lawflow.mesh.bootstrap import Server
from lawflow.mesh.sidecar import Identity
from lawflow.model.kinds import ENDPOINT_SLICE, SECRET, SERVICE
from lawflow.model.sidecar import TRUST_FILE, certificate_secret_name
from lawflow.model.trust_bundle import STANDBY_SERVICE_ACCOUNT, XDS_SERVICE_ACCOUNT
from lawflow.standalone.sidecars import RunningSidecar, Sidecars
from lawflow.store.protocol import Object, Store

SYSTEM = "lawflow-system"
NAMESPACES = ("bench-0", "bench-1")
"""Two, because one holds 500 flows at most."""
ACCOUNTS = 50
SOURCE, DESTINATION = Identity(NAMESPACES[0], "orders"), Identity(NAMESPACES[0], "billing")
ADDRESSES = {SOURCE: "127.212.7.9", DESTINATION: "127.212.7.10"}
POD_ADDRESS = "10.9.8.7"


@dataclass(frozen=True)
class Mesh:
    """The processes of an installation."""

    controller: int
    server: int
    standby: int
    """Process ids, all three."""
    sidecars: tuple[RunningSidecar, ...]

    async def opened(self, name: str) -> None:
        """Return once all sidecars have taken a configuration in which a flow between them is open."""
        # A flow that is still closed stands there too, with the reason.
        await asyncio.gather(*(_configured(sidecar, f"/{name} is open", True) for sidecar in self.sidecars))

    async def forgotten(self, name: str) -> None:
        """Return once no sidecar's configuration names a flow any more."""
        await asyncio.gather(*(_configured(sidecar, f"/{name}", False) for sidecar in self.sidecars))


def flow(name: str, path: str) -> Object:
    """A lawful flow between the two sidecars."""
    operation = {**merchant.flow(SOURCE.namespace)["spec"]["operations"][0], "path": path}
    return merchant.flow(
        SOURCE.namespace, name, destination=merchant.to_service(None, DESTINATION.service_account),
        operations=[operation],
    )  # fmt: skip


def other_flows(numbers: range) -> list[Object]:
    """Lawful flows between other service accounts, over both namespaces."""
    return [
        merchant.flow(
            NAMESPACES[number % len(NAMESPACES)],
            f"flow-{number}",
            source={"serviceAccountName": f"app-{number % ACCOUNTS}", "datasetRefs": [{"name": "orders-db"}]},
            destination=merchant.to_service(None, f"app-{(7 * number + 1) % ACCOUNTS}"),
        )
        for number in numbers
    ]


@contextlib.asynccontextmanager
async def running_mesh(cluster: Cluster, store: Store, verdicts: Verdicts, directory: Path) -> AsyncIterator[Mesh]:
    """Start everything; one flow between the sidecars exists then, so that both have certificates and configuration."""
    cluster.kubectl("create", "namespace", SYSTEM)
    for namespace in NAMESPACES:
        cluster.apply(*(merchant.service(namespace, f"app-{number}") for number in range(ACCOUNTS)))
    await store.create(SERVICE, merchant.service(DESTINATION.namespace, DESTINATION.service_account))
    await store.create(ENDPOINT_SLICE, _endpoints())
    with ControllerProcess(cluster, directory, SYSTEM, *OPTIONS) as controller:
        await asyncio.to_thread(eventually, controller.leads, "the controller leads")
        await create_flows(store, [flow("standing", "/standing")])
        await verdicts.of(SOURCE.namespace, "standing")
        (directory / "sockets").mkdir()
        async with (
            _server(
                store, directory, XDS_SERVICE_ACCOUNT, f"--kubeconfig={cluster.admin.kubeconfig}", _DIRECTORY
            ) as (server, port),
            _server(
                store, directory, STANDBY_SERVICE_ACCOUNT, f"--xds-replicas=127.0.0.1:{port}",
                f"--roots={directory / STANDBY_SERVICE_ACCOUNT / TRUST_FILE}",
            ) as (standby, _),
        ):  # fmt: skip
            sidecars = Sidecars(directory / "sidecars", directory / "sockets")
            try:
                for identity in (SOURCE, DESTINATION):
                    await _sidecar(sidecars, identity, store, port)
                mesh = Mesh(controller.process.pid, server, standby, tuple(sidecars.running.values()))
                await mesh.opened("standing")
                yield mesh
            finally:
                await sidecars.close()


_DIRECTORY = "--sidecar-certificate-directory=certificate"
"""In pods all sidecars have their certificate at the same place; here at the same one below where they run."""


@contextlib.asynccontextmanager
async def _server(store: Store, directory: Path, account: str, *options: str) -> AsyncIterator[tuple[int, int]]:
    """A server of the sidecars as a process, with the certificate that the controller made for it; its id and port."""
    place = directory / account
    place.mkdir()
    for name, text in (await _files(store, SYSTEM, secret_name(account))).items():
        (place / name).write_text(text)
    port, health = ReservedPort(), ReservedPort()
    command = [
        sys.executable, "-m", "lawflow", account.removeprefix("lawflow-"), f"--namespace={SYSTEM}",
        f"--certificate={place / 'tls.crt'}", f"--key={place / 'tls.key'}",
        "--host=127.0.0.1", f"--port={port.number}", f"--health-port={health.number}", *options,
    ]  # fmt: skip
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220 - it returns at once
    try:
        yield process.pid, port.number
    finally:
        process.kill()
        process.wait()
        port.release()
        health.release()


async def _sidecar(sidecars: Sidecars, identity: Identity, store: Store, port: int) -> None:
    files = await _files(store, identity.namespace, certificate_secret_name(identity.service_account))
    name = f"{identity.namespace}/{identity.service_account}-1"
    server = Identity(SYSTEM, XDS_SERVICE_ACCOUNT).spiffe_id("cluster.local")
    directory = sidecars.certificate_directory(identity).parent
    directory.mkdir(parents=True)
    with contextlib.chdir(directory):
        sidecar = await sidecars.start(identity, name, ADDRESSES[identity], files, Server("127.0.0.1", port, server))
    async with asyncio.timeout(SECONDS):
        await sidecar.ready.wait()


async def _files(store: Store, namespace: str, name: str) -> dict[str, str]:
    secret = await until(lambda: store.get(SECRET, namespace, name), f"the Secret {name}")
    return {file: base64.b64decode(text).decode() for file, text in secret["data"].items()}


async def _configured(sidecar: RunningSidecar, wanted: str, present: bool) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            _, dump = await sidecar.process.admin("/config_dump")
            assert "error_state" not in dump, "the sidecar rejected its configuration"
            if (wanted in dump) is present:
                return
            await asyncio.sleep(0.01)


def _endpoints() -> Object:
    service = DESTINATION.service_account
    metadata = {"namespace": DESTINATION.namespace, "name": service, "labels": {"kubernetes.io/service-name": service}}
    return {"metadata": metadata, "addressType": "IPv4", "ports": [], "endpoints": [{"addresses": [POD_ADDRESS]}]}
