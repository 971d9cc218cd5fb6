"""``lawflow controller``: the process that judges flows, keeps the gate's index and issues credentials."""

import asyncio
import datetime as dt
import logging
from pathlib import Path
from typing import Any

import click
import uvloop

from lawflow.cli.injection import injection_options
from lawflow.cli.json_logs import log_as_json
from lawflow.controller.process import ProcessSettings, run
from lawflow.controller.settings import Settings
from lawflow.inject.settings import InjectionSettings
from lawflow.law import LegalDataError, load_legal_data
from lawflow.model.sidecar import EGRESS_SERVICE_ACCOUNT
from lawflow.store.protocol import StoreError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.option("--kubeconfig", type=_FILE, help="Cluster to serve; the pod's own by default.")
@click.option("--host", default="0.0.0.0", help="Address of metrics and health.")  # noqa: S104  (a pod's is not known)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, help="Plain port for /healthz, /readyz, /metrics.")
@click.option("--legal-data", type=_FILE, multiple=True, help="YAML that adds to or overrides legal data.")
@click.option("--disable-rule", "disabled_rules", multiple=True, help="Rule that is not applied.")
@click.option("--credential-seconds", type=_POSITIVE, default=3600, help="Life of a certificate delivered by Secret.")
@click.option("--issuer-days", type=_POSITIVE, default=90, help="Life of the issuing authority.")
@click.option("--root-days", type=_POSITIVE, default=3650, help="Life of the root.")
@click.option("--bundle-settling-seconds", type=_POSITIVE, default=3600, help="How long a new root is only shipped.")
@click.option("--break-glass-seconds", type=_POSITIVE, default=4 * 3600, help="How long a break-glass grant holds.")
@click.option("--network-policies/--no-network-policies", default=True, help="Close the ways around sidecars.")
@click.option("--terminate/--no-terminate", default=False, help="End the TLS of apps where flows say tls: terminate.")
@click.option("--workers", type=click.IntRange(min=1), default=Settings.workers, help="Objects reconciled at once.")
@click.option("--lease-seconds", type=_POSITIVE, default=15.0, help="After so long a silent leader is replaced.")
@click.option("--resync-seconds", type=_POSITIVE, default=600.0, help="How often everything is listed anew.")
@click.option("--tick-seconds", type=_POSITIVE, default=1.0, help="How often due dates are looked up.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Judge as on this day, for trials.")
@injection_options
def controller(injection: InjectionSettings, namespace: str, **options: Any) -> int:
    """Run the controller: one replica leads, others stand by. Options can be set as LAWFLOW_OPTION_NAME, too."""
    _log()
    # The option is injection's, which needs no more of it than the bootstrap.
    trust_domain = click.get_current_context().params["trust_domain"]
    try:
        settings = _settings(injection, namespace, trust_domain, options)
        lease: float = options["lease_seconds"]
        process = ProcessSettings(
            options["kubeconfig"],
            host=options["host"],
            port=options["port"],
            lease_duration=lease,
            renew_deadline=lease * 2 / 3,
            retry=lease / 8,
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run(settings, process, _clock))
    except (StoreError, LegalDataError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _settings(injection: InjectionSettings, namespace: str, trust_domain: str, options: dict[str, Any]) -> Settings:
    return Settings(
        namespace=namespace,
        trust_domain=trust_domain,
        delivery=injection.delivery,
        signer_name=injection.signer_name,
        credential_lifetime=dt.timedelta(seconds=options["credential_seconds"]),
        root_lifetime=dt.timedelta(days=options["root_days"]),
        issuer_lifetime=dt.timedelta(days=options["issuer_days"]),
        bundle_settling=dt.timedelta(seconds=options["bundle_settling_seconds"]),
        injection=injection,
        legal=load_legal_data(*options["legal_data"]),
        disabled_rules=frozenset(options["disabled_rules"]),
        judged_on=options["today"].date() if options["today"] else None,
        break_glass=dt.timedelta(seconds=options["break_glass_seconds"]),
        network_policies=options["network_policies"],
        egress=(namespace, EGRESS_SERVICE_ACCOUNT),
        terminates=options["terminate"],
        workers=options["workers"],
        tick=dt.timedelta(seconds=options["tick_seconds"]),
        resync=dt.timedelta(seconds=options["resync_seconds"]),
    )


def _clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _log() -> None:
    log_as_json()
    # Kopf speaks of each event of each object; its warnings are what an operator needs.
    logging.getLogger("kopf").setLevel(logging.WARNING)
