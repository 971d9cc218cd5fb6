"""The command line: a table of commands, each imported only when it runs.

Exit codes: 0 done, 1 refused (``check`` and ``inject`` found something that denies), 2 unusable input or usage or
output that cannot be written, 130 on Ctrl-C, 0 on SIGTERM, 141 where the reader of a pipe went away.
"""

import io
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path, PurePath
from types import FrameType
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from lawflow import __version__

UNUSABLE = 2
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + 13


@dataclass(frozen=True)
class Entry:
    """Where a command is defined, as ``module:attribute``, and what the list of commands says about it."""

    target: str
    summary: str
    hidden: bool = False


COMMANDS: dict[str, Entry] = {
    "check": Entry("lawflow.cli.check:check", "Judge manifests: which data flows lack a lawful basis, and why."),
    "inject": Entry("lawflow.cli.inject:inject", "Add the sidecar to workloads in YAML."),
    "minimize": Entry("lawflow.cli.minimize:minimize", "Show what a data flow lets through of a message."),
    "suggest": Entry("lawflow.cli.suggest:suggest", "Propose the fields of a message, from samples of it."),
    "explain": Entry("lawflow.cli.explain:explain", "Explain a rule: its article, what it asks for, an example."),
    "up": Entry("lawflow.cli.up:up", "Run a folder of manifests on this host, with real Envoys."),
    "demo": Entry("lawflow.cli.demo:demo", "Show a denied flow, a lawful one, and a rotation under load."),
    "controller": Entry("lawflow.cli.controller:controller", "Run the controller (in a cluster)."),
    "webhook": Entry("lawflow.cli.webhook:webhook", "Run the admission server (in a cluster)."),
    "standby": Entry("lawflow.cli.standby:standby", "Serve sidecars that start while xds is away (in a cluster)."),
    "xds": Entry("lawflow.cli.xds:xds", "Run the configuration server of the sidecars (in a cluster)."),
    "signer": Entry("lawflow.cli.signer:signer", "Run the signer of pod certificates (in a cluster)."),
    "ready": Entry("lawflow.cli.ready:ready", "Wait until the gate works in a cluster."),
    "retire": Entry("lawflow.cli.retire:retire", "Take the gate down before uninstalling (in a cluster)."),
    "completion": Entry("lawflow.cli.completion:completion", "Print the completion script of a shell."),
    "generate": Entry("lawflow.cli.generate:generate", "Write crds/ and docs/ from the code.", hidden=True),
}


class CommandTable(click.Group):
    """A group whose commands come from :data:`COMMANDS`, so that ``lawflow check`` never imports the controller."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` where the table has no such name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].target.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a usage error with "did you mean" where there is none."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            close = get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"no command {name!r}" + (f"; did you mean {close[0]}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [(name, entry.summary) for name, entry in COMMANDS.items() if not entry.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command without importing any."""
        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete) and not entry.hidden
        ]
        return names or click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A reader that went away (``lawflow check … | head``) is no error to speak of."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            ctx.exit(BROKEN_PIPE)
        return result


@click.group(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="lawflow %(version)s")
def cli() -> None:
    """Machine-to-machine data flows that comply with the GDPR, and the proof of it."""


def program_name(argv0: str) -> str:
    """How the user called the program: ``kubectl lawflow`` where kubectl found it as a plugin."""
    return "kubectl lawflow" if PurePath(argv0).name.startswith("kubectl-") else "lawflow"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors of the user end in one message, never in a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show § is no reason to fall over a manifest that holds one.
            stream.reconfigure(errors="backslashreplace")
    try:
        result = cli.main(arguments, prog_name=program_name(sys.argv[0]), standalone_mode=False)
    except (click.UsageError, click.FileError) as error:
        error.show()
        return UNUSABLE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except OSError as error:
        # A full disk, say: what was found is not told, so it must look neither clean nor denied.
        _discard_output()
        click.echo(f"Error: {error}", err=True)
        return UNUSABLE
    return result if isinstance(result, int) else 0


def _open_closed_streams() -> None:
    """Open what the caller closed, or the next file to be opened would take its number and what is written to it."""
    for name, mode in ("stdin", "r"), ("stdout", "w"), ("stderr", "w"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for the process's life


def _discard_output() -> None:
    """Drop what is still buffered: it would fail once more when the interpreter flushes it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
