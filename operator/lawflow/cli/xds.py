"""``lawflow xds``: the configuration server of the sidecars."""

import asyncio
import datetime as dt
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
from pythonjsonlogger.json import JsonFormatter

from lawflow.identity.pem import PemError, certificates_from_pem, private_key_from_pem
from lawflow.mesh.sidecar import MeshSettings
from lawflow.model.loopback import CLUSTER_DOMAIN
from lawflow.model.sidecar import CERTIFICATE_FILE, KEY_FILE, TRUST_FILE
from lawflow.model.trust_bundle import SYSTEM_NAMESPACE
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import StoreError
from lawflow.xds.acknowledgement import note_acknowledgements
from lawflow.xds.server import XDS_PORT, DiscoveryService, ServerCredentials, start
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.watch import watch
from lawflow.xds.world import World

DRAIN_SECONDS = 5.0

_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_log = logging.getLogger(__name__)


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.option(
    "--certificate-directory",
    type=_DIRECTORY,
    required=True,
    help=f"Where {CERTIFICATE_FILE}, {KEY_FILE} and {TRUST_FILE} lie; read anew at each handshake.",
)
@click.option("--host", default="0.0.0.0", help="Address to listen on.")  # noqa: S104 - a pod's is not known
@click.option("--port", default=XDS_PORT, help="Port to listen on.")
@click.option("--kubeconfig", type=_FILE, help="Cluster to serve; the pod's own by default.")
@click.option("--namespace", default=SYSTEM_NAMESPACE, help="Lawflow's own namespace.")
@click.option("--trust-domain", default="cluster.local", help="Trust domain of the SPIFFE ids.")
@click.option("--cluster-domain", default=CLUSTER_DOMAIN, help="DNS domain of the cluster.")
@click.option(
    "--connection-seconds", default=1800.0, help="Longest life of a connection between sidecars, then made anew."
)
def xds(
    certificate_directory: Path,
    host: str,
    port: int,
    kubeconfig: Path | None,
    namespace: str,
    trust_domain: str,
    cluster_domain: str,
    connection_seconds: float,
) -> int:
    """Serve every sidecar its listeners, clusters, endpoints and trust bundle, by mutual TLS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    settings = MeshSettings(trust_domain, cluster_domain, connection_seconds)

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        world = World()
        snapshots = Snapshots(world, settings)
        service = DiscoveryService(snapshots, trust_domain)
        async with await KubernetesStore.connect(kubeconfig) as store:
            server, _ = await start(service, host, port, credentials_of(certificate_directory))
            _log.info("serving sidecars", extra={"address": f"{host}:{port}"})
            tasks = [
                asyncio.create_task(watch(store, world, snapshots, namespace)),
                asyncio.create_task(note_acknowledgements(service, store)),
                asyncio.create_task(stop.wait()),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await server.stop(DRAIN_SECONDS)

    try:
        asyncio.run(run())
    except (StoreError, PemError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return 0


def credentials_of(directory: Path) -> Callable[[], ServerCredentials]:
    """The server's credentials from files, read anew where they changed.

    While the new ones cannot be used the old ones stay. Raises PemError or OSError where there never were any.
    """
    held: list[tuple[object, ServerCredentials]] = []

    def mark() -> object:
        return tuple((directory / name).stat().st_mtime_ns for name in (CERTIFICATE_FILE, KEY_FILE, TRUST_FILE))

    def credentials() -> ServerCredentials:
        try:
            now = mark()
            if not held or held[0][0] != now:
                held[:] = [(now, _read(directory))]
        except (OSError, PemError) as error:
            if not held:
                raise
            _log.error("the new certificate cannot be used, the old one stays", extra={"problem": str(error)})
        return held[0][1]

    return credentials


def _read(directory: Path) -> ServerCredentials:
    key = (directory / KEY_FILE).read_text(encoding="utf-8")
    chain = (directory / CERTIFICATE_FILE).read_text(encoding="utf-8")
    roots = (directory / TRUST_FILE).read_text(encoding="utf-8")
    private_key_from_pem(key)
    (leaf, *_), _ = certificates_from_pem(chain), certificates_from_pem(roots)
    if leaf.not_valid_after_utc <= dt.datetime.now(dt.UTC):
        raise PemError(f"the certificate in {directory} has expired: renew it")
    return ServerCredentials(key, chain, roots)
