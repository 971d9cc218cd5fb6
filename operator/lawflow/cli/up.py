"""``lawflow up``: a folder of manifests on this host."""

import asyncio
import datetime as dt
import json
import logging
import signal
import sys
from pathlib import Path

import click

from lawflow.law import LegalDataError, load_legal_data
from lawflow.standalone.engine import FolderInUseError, StandaloneSettings, standalone
from lawflow.standalone.envoy import EnvoyError
from lawflow.standalone.report import Event
from lawflow.store.protocol import StoreError

_COLOURS = {"denied": "red", "problem": "red", "warning": "yellow", "ready": "green", "admitted": "green"}
_SHORTEST_LIFE = 4


@click.command(context_settings={"auto_envvar_prefix": "LAWFLOW", "show_default": True})
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--trust-domain", default="cluster.local", help="Trust domain of the SPIFFE ids.")
@click.option(
    "--certificate-seconds",
    type=click.IntRange(min=_SHORTEST_LIFE),
    default=3600,
    help="Life of a certificate; it is renewed at half of it.",
)
@click.option("--xds-port", default=0, help="Port of 127.0.0.1 for the sidecars' configuration; 0 takes a free one.")
@click.option(
    "--legal-data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="YAML that adds to or overrides legal data.",
)
@click.option("--disable-rule", "disabled_rules", multiple=True, help="Rule that is not applied.")
@click.option(
    "--external-roots",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authorities, PEM, that hosts outside are known by beside those that this host trusts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
def up(
    folder: Path,
    trust_domain: str,
    certificate_seconds: int,
    xds_port: int,
    legal_data: tuple[Path, ...],
    disabled_rules: tuple[str, ...],
    external_roots: Path | None,
    as_json: bool,
) -> int:
    """Run the manifests in FOLDER on this host, with a real Envoy for each workload that has flows.

    Changes in FOLDER take effect at once. An app tells where it listens by the annotation `lawflow.dev/local-port` on
    its pod template, and calls others at the addresses that are printed. What Lawflow keeps lies in FOLDER/.lawflow.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    # What the manifests' problems are is told as events.
    logging.getLogger("lawflow.store").setLevel(logging.ERROR)

    def report(event: Event) -> None:
        if as_json:
            line = {"event": event.kind, "subject": event.subject, "message": event.message, **event.data}
            click.echo(json.dumps(line))
        else:
            kind = click.style(f"{event.kind:9}", fg=_COLOURS.get(event.kind))
            text = event.message if "\n" not in event.message else "\n  " + event.message.replace("\n", "\n  ")
            click.echo(f"{kind} {event.subject}" + (f": {text}" if text else ""))

    async def run(settings: StandaloneSettings) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with standalone(settings, report):
            await stop.wait()

    try:
        legal = load_legal_data(*legal_data)
        settings = StandaloneSettings(
            folder,
            trust_domain,
            dt.timedelta(seconds=certificate_seconds),
            xds_port,
            legal,
            frozenset(disabled_rules),
            external_roots=external_roots,
        )
        asyncio.run(run(settings))
    except (EnvoyError, FolderInUseError, StoreError, LegalDataError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return 0
