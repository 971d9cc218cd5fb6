"""``lawflow standby``: serves sidecars that start while no xDS server can be reached."""

import asyncio
import logging
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from lawflow.cli.injection import host_and_port
from lawflow.cli.json_logs import log_as_json
from lawflow.cli.server_credentials import credentials_of
from lawflow.cli.xds import DRAIN_SECONDS
from lawflow.daemon.health import serve_health
from lawflow.daemon.termination import until_terminated
from lawflow.identity.pem import PemError
from lawflow.mesh.sidecar import Identity
from lawflow.model.trust_bundle import (
    STANDBY_REPLICAS,
    STANDBY_SERVICE_ACCOUNT,
    SYSTEM_NAMESPACE,
    XDS_PORT,
    XDS_REPLICAS,
    XDS_SERVICE_ACCOUNT,
)
from lawflow.xds.following import Servers, stand_by
from lawflow.xds.handover import Handover
from lawflow.xds.last_known import LastKnown
from lawflow.xds.metrics import Known, Sidecars
from lawflow.xds.server import DiscoveryService, start

CONNECTION_SECONDS = 30.0
"""Longest life of a connection: a sidecar that was served here goes back to the xDS servers once they are there."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_log = logging.getLogger(__name__)


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.option("--certificate", type=_FILE, required=True, help="The server's own certificate and chain, PEM.")
@click.option(
    "--key", type=_FILE, required=True, help="Its private key, PEM; all three are read anew when they change."
)
@click.option("--roots", type=_FILE, required=True, help="The roots by which sidecars and xDS servers are known, PEM.")
@click.option("--host", default="0.0.0.0", help="Address to listen on.")  # noqa: S104 - a pod's is not known
@click.option("--port", default=XDS_PORT, help="Port to listen on.")
@click.option("--health-port", default=8080, help="Plain port for /healthz, /readyz and /metrics.")
@click.option("--namespace", default=SYSTEM_NAMESPACE, help="Lawflow's own namespace.")
@click.option("--trust-domain", default="cluster.local", help="Trust domain of the SPIFFE ids.")
@click.option(
    "--xds-replicas",
    help=f"HOST:PORT that leads to every xDS server [default: {XDS_REPLICAS}.NAMESPACE.svc:{XDS_PORT}].",
)
@click.option(
    "--standby-replicas",
    help=f"HOST:PORT that leads to every standby [default: {STANDBY_REPLICAS}.NAMESPACE.svc:{XDS_PORT}].",
)
def standby(
    certificate: Path,
    key: Path,
    roots: Path,
    host: str,
    port: int,
    health_port: int,
    namespace: str,
    trust_domain: str,
    xds_replicas: str | None,
    standby_replicas: str | None,
) -> int:
    """Hold the last known policy of every sidecar, and serve it to those that start while no xDS server is there."""
    log_as_json()
    xds, others = (
        Servers(*host_and_port(option, where or f"{service}.{namespace}.svc:{XDS_PORT}"), f"{account}.{namespace}.svc")
        for option, where, service, account in (
            ("--xds-replicas", xds_replicas, XDS_REPLICAS, XDS_SERVICE_ACCOUNT),
            ("--standby-replicas", standby_replicas, STANDBY_REPLICAS, STANDBY_SERVICE_ACCOUNT),
        )
    )
    credentials = credentials_of(certificate, key, lambda: roots.read_text(encoding="utf-8"))

    async def run() -> None:
        known = LastKnown()
        service = DiscoveryService(known, trust_domain, resumes=False)
        registry = CollectorRegistry()
        registry.register(Sidecars(service))
        registry.register(Known(known))
        async with serve_health(registry, lambda: known.is_open, host, health_port):
            handover = Handover(known, Identity(namespace, STANDBY_SERVICE_ACCOUNT), trust_domain).handler()
            server, _ = await start(service, host, port, credentials, handover, connection_seconds=CONNECTION_SECONDS)
            _log.info("standing by", extra={"address": f"{host}:{port}"})
            try:
                await until_terminated(stand_by(known, xds, others, credentials))
            finally:
                await server.stop(DRAIN_SECONDS)

    try:
        asyncio.run(run())
    except (PemError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return 0
