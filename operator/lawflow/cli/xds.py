"""``lawflow xds``: the configuration server of the sidecars."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from pathlib import Path

import click
import grpc
from prometheus_client import CollectorRegistry

from lawflow.cli.json_logs import log_as_json
from lawflow.cli.server_credentials import credentials_of
from lawflow.daemon.health import serve_health
from lawflow.daemon.termination import until_terminated
from lawflow.identity.pem import PemError
from lawflow.mesh.keys import SECRET_KEY
from lawflow.mesh.sidecar import Identity, MeshSettings, Placement, ServicePort
from lawflow.model.loopback import CLUSTER_DOMAIN
from lawflow.model.sidecar import CERTIFICATE_DIRECTORY, EGRESS_SERVICE_ACCOUNT
from lawflow.model.trust_bundle import STANDBY_SERVICE_ACCOUNT, SYSTEM_NAMESPACE, TOKEN_KEYS_KEY, XDS_PORT
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Store, StoreError
from lawflow.xds.acknowledgement import note_acknowledgements
from lawflow.xds.credentials import Credentials, keys_in
from lawflow.xds.external_roots import PUBLIC, ExternalRoots
from lawflow.xds.handover import Handover
from lawflow.xds.metrics import Sidecars
from lawflow.xds.server import DiscoveryService, ServerCredentials, start
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.watch import watch
from lawflow.xds.world import World

DRAIN_SECONDS = 5.0

_SERVICE_PORT = re.compile(r"([a-z0-9-]+)/([a-z0-9-]+):([0-9]{1,5})")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_log = logging.getLogger(__name__)


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.option("--certificate", type=_FILE, required=True, help="The server's own certificate and chain, PEM.")
@click.option("--key", type=_FILE, required=True, help="Its private key, PEM; both are read anew when they change.")
@click.option("--host", default="0.0.0.0", help="Address to listen on.")  # noqa: S104 - a pod's is not known
@click.option("--port", default=XDS_PORT, help="Port to listen on.")
@click.option("--health-port", default=8080, help="Plain port for /healthz, /readyz and /metrics.")
@click.option("--kubeconfig", type=_FILE, help="Cluster to serve; the pod's own by default.")
@click.option("--namespace", default=SYSTEM_NAMESPACE, help="Lawflow's own namespace.")
@click.option("--trust-domain", default="cluster.local", help="Trust domain of the SPIFFE ids.")
@click.option("--cluster-domain", default=CLUSTER_DOMAIN, help="DNS domain of the cluster.")
@click.option(
    "--sidecar-certificate-directory",
    default=CERTIFICATE_DIRECTORY,
    help="Where sidecars have their certificate; injection mounts it there.",
)
@click.option(
    "--protection-secret",
    type=click.Path(dir_okay=False, path_type=Path),
    default="/var/run/lawflow/protection/" + SECRET_KEY,
    help="The secret behind pseudonyms and encrypted values; flows that need it are closed while it is missing.",
)
@click.option(
    "--token-keys",
    type=click.Path(dir_okay=False, path_type=Path),
    default="/var/run/lawflow/token-keys/" + TOKEN_KEYS_KEY,
    help="The keys that tokens for hosts outside are signed with; flows that ask for tokens are closed without them.",
)
@click.option(
    "--external-roots",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Authorities, PEM, that hosts outside are known by beside the public ones; read anew when it changes.",
)
@click.option("--terminate/--no-terminate", default=False, help="End the TLS of apps where flows say tls: terminate.")
@click.option(
    "--system-destination",
    "system_destinations",
    multiple=True,
    default=("default/kubernetes:443", "kube-system/kube-dns:53"),
    envvar="LAWFLOW_SYSTEM_DESTINATIONS",
    help="NAMESPACE/NAME:PORT of a Service that redirected pods reach without a flow. Give it once, empty, for none.",
)
@click.option("--connection-seconds", default=1800.0, help="Longest life of a connection between sidecars.")
def xds(
    certificate: Path,
    key: Path,
    host: str,
    port: int,
    health_port: int,
    kubeconfig: Path | None,
    namespace: str,
    trust_domain: str,
    cluster_domain: str,
    sidecar_certificate_directory: str,
    protection_secret: Path,
    token_keys: Path,
    external_roots: Path | None,
    terminate: bool,
    system_destinations: tuple[str, ...],
    connection_seconds: float,
) -> int:
    """Serve every sidecar its listeners, clusters, endpoints and trust bundle, by mutual TLS."""
    log_as_json()
    egress = Identity(namespace, EGRESS_SERVICE_ACCOUNT)
    settings = MeshSettings(
        trust_domain,
        cluster_domain,
        egress,
        terminate,
        system_destinations=tuple(service_port(text) for text in system_destinations if text),
        max_connection_duration=connection_seconds,
    )
    roots = ExternalRoots(PUBLIC, *([external_roots] if external_roots else []))

    async def run() -> None:
        world = World(egress)
        placement = Placement(certificate_directory=sidecar_certificate_directory)
        snapshots = Snapshots(
            world,
            settings,
            lambda _identity: placement,
            master=lambda: _read(protection_secret),
            external_roots=roots,
            credential=Credentials(keys_in(token_keys)),
        )
        async with await KubernetesStore.connect(kubeconfig) as store, contextlib.AsyncExitStack() as stack:
            service = DiscoveryService(snapshots, trust_domain)
            registry = CollectorRegistry()
            registry.register(Sidecars(service))
            await stack.enter_async_context(serve_health(registry, lambda: snapshots.is_open, host, health_port))
            credentials = credentials_of(certificate, key, lambda: snapshots.bundle)
            handover = Handover(snapshots, Identity(namespace, STANDBY_SERVICE_ACCOUNT), trust_domain).handler()
            await until_terminated(
                watch(store, world, snapshots, namespace),
                snapshots.renew(),
                _serve(service, snapshots, store, f"{host}:{port}", credentials, handover),
            )

    try:
        asyncio.run(run())
    except (StoreError, PemError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return 0


def service_port(text: str) -> ServicePort:
    """NAMESPACE/NAME:PORT in its parts. Raises click.UsageError for anything else."""
    found = _SERVICE_PORT.fullmatch(text)
    if not found:
        raise click.UsageError(f"--system-destination {text!r} is not NAMESPACE/NAME:PORT, e.g. default/kubernetes:443")
    return found[1], found[2], int(found[3])


def _read(secret: Path) -> bytes:
    try:
        return secret.read_bytes()
    except OSError:
        return b""


async def _serve(
    service: DiscoveryService,
    snapshots: Snapshots,
    store: Store,
    address: str,
    credentials: Callable[[], ServerCredentials],
    handover: grpc.GenericRpcHandler,
) -> None:
    # Until the roots are known nobody could be told from a stranger.
    await snapshots.opened()
    host, _, port = address.rpartition(":")
    server, _ = await start(service, host, int(port), credentials, handover)
    _log.info("serving sidecars", extra={"address": address})
    try:
        await note_acknowledgements(service, store)
    finally:
        await server.stop(DRAIN_SECONDS)
