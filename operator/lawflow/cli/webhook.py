"""``lawflow webhook``: the admission server."""

import asyncio
import ssl
from pathlib import Path

import click
import uvloop

from lawflow.cli.injection import injection_options
from lawflow.cli.json_logs import log_as_json
from lawflow.inject.settings import InjectionSettings
from lawflow.law import LegalDataError, load_legal_data
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import StoreError
from lawflow.webhook.server import serve
from lawflow.webhook.settings import Limits, ServerSettings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.option("--certificate", type=_FILE, required=True, help="Serving certificate, PEM; read anew when it changes.")
@click.option("--key", type=_FILE, required=True, help="Its private key, PEM.")
@click.option("--host", default="0.0.0.0", help="Address to listen on.")  # noqa: S104 - a pod's is not known
@click.option("--port", default=9443, help="Port to listen on.")
@click.option("--health-port", default=8080, help="Plain port for /healthz, /readyz and /metrics; 0 for none.")
@click.option("--kubeconfig", type=_FILE, help="Cluster to serve; the pod's own by default.")
@click.option("--legal-data", type=_FILE, multiple=True, help="YAML that adds to or overrides legal data.")
@click.option("--disable-rule", "disabled_rules", multiple=True, help="Rule that is not applied.")
@click.option("--cluster-domain", default="cluster.local", help="DNS domain of the cluster.")
@click.option("--body-bytes", default=Limits.body_bytes, help="Largest review that is read.")
@click.option("--header-bytes", default=Limits.header_bytes, help="Largest request line and headers.")
@click.option("--request-seconds", default=Limits.request_seconds, help="Longest time for one request.")
@click.option("--connections", default=Limits.connections, help="Most open connections.")
@click.option("--concurrent-requests", default=Limits.concurrent_requests, help="Most requests at once.")
@click.option("--buffered-bytes", default=Limits.buffered_bytes, help="Most bytes of all bodies at once.")
@click.option("--certificate-seconds", default=ServerSettings.certificate_seconds, help="How often files are checked.")
@click.option("--drain-seconds", default=ServerSettings.drain_seconds, help="Time to go on serving after SIGTERM.")
@injection_options
def webhook(
    certificate: Path,
    key: Path,
    host: str,
    port: int,
    health_port: int,
    kubeconfig: Path | None,
    legal_data: tuple[Path, ...],
    disabled_rules: tuple[str, ...],
    cluster_domain: str,
    body_bytes: int,
    header_bytes: int,
    request_seconds: float,
    connections: int,
    concurrent_requests: int,
    buffered_bytes: int,
    certificate_seconds: float,
    drain_seconds: float,
    injection: InjectionSettings,
    namespace: str,
) -> int:
    """Run the admission server: judge workloads and flows, and put the sidecar into pods."""
    log_as_json()
    limits = Limits(
        body_bytes=body_bytes,
        header_bytes=header_bytes,
        request_seconds=request_seconds,
        connections=connections,
        concurrent_requests=concurrent_requests,
        buffered_bytes=buffered_bytes,
    )
    settings = ServerSettings(
        certificate, key, host, port, health_port, limits, certificate_seconds, drain_seconds
    )  # fmt: skip

    async def run() -> int:
        async with await KubernetesStore.connect(kubeconfig) as store:
            legal = load_legal_data(*legal_data)
            return await serve(store, settings, injection, legal, frozenset(disabled_rules), cluster_domain)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())
    except (StoreError, LegalDataError, ssl.SSLError, OSError) as error:
        raise click.ClickException(str(error)) from None
