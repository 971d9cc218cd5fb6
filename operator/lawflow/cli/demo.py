"""``lawflow demo``: a denied flow, a lawful one, refused strangers, and a rotation under load."""

import asyncio
import json
import tempfile
from pathlib import Path

import click

from lawflow.standalone.engine import FolderInUseError
from lawflow.standalone.envoy import EnvoyError
from lawflow.standalone.story import demonstrate
from lawflow.store.protocol import StoreError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as JSON.")
def demo(as_json: bool) -> int:
    """Show what Lawflow does, on this host, in a few seconds: no cluster, no root, no network.

    Exits 1 where anything did not go as promised.
    """

    def tell(heading: str, text: str) -> None:
        if as_json:
            return
        if heading:
            click.echo("\n" + click.style(heading, bold=True))
        if text:
            click.echo("\n".join(f"   {line}".rstrip() for line in text.splitlines()))

    try:
        with tempfile.TemporaryDirectory(prefix="lawflow-demo-") as directory:
            seen = asyncio.run(demonstrate(Path(directory), tell))
    except (EnvoyError, FolderInUseError, StoreError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(seen, indent=2))
    else:
        rotation = seen["rotation"]
        verdict = "All as promised" if seen["ok"] else "NOT as promised"
        colour = "green" if seen["ok"] else "red"
        click.echo()
        click.secho(
            f"{verdict}: {rotation['rotations']} rotations, {rotation['requests']} requests, "
            f"{rotation['failed']} dropped.",
            fg=colour,
        )
        click.echo("Try your own folder with `lawflow up FOLDER`; judge manifests with `lawflow check -f FOLDER`.")
    return 0 if seen["ok"] else 1
