"""``lawflow signer``: the process that signs pod certificates."""

import asyncio
from pathlib import Path

import click

from lawflow.cli.injection import injection_options
from lawflow.cli.json_logs import log_as_json
from lawflow.identity.pod_certificate import SignerSettings
from lawflow.inject.settings import InjectionSettings
from lawflow.model.sidecar import EGRESS_SERVICE_ACCOUNT
from lawflow.signer.process import run
from lawflow.signer.requests import Signer
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import StoreError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.option("--kubeconfig", type=_FILE, help="Cluster to serve; the pod's own by default.")
@click.option("--host", default="0.0.0.0", help="Address of metrics and health.")  # noqa: S104  (a pod's is not known)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, help="Plain port for /healthz, /readyz, /metrics.")
@injection_options
def signer(kubeconfig: Path | None, host: str, port: int, injection: InjectionSettings, namespace: str) -> int:
    """Run the signer: the sidecars' pods get their certificates from it, also while no controller runs."""
    log_as_json()
    # The option is injection's, which needs no more of it than the bootstrap.
    trust_domain = click.get_current_context().params["trust_domain"]
    settings = SignerSettings(trust_domain, injection.signer_name, (namespace, EGRESS_SERVICE_ACCOUNT))

    async def serve() -> None:
        async with await KubernetesStore.connect(kubeconfig) as store:
            await run(Signer(store, namespace, settings, injection), host, port)

    try:
        asyncio.run(serve())
    except (StoreError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return 0
