"""``lawflow minimize``: what a data flow lets through of a message, without a mesh."""

import datetime as dt
import json
import re
import secrets
import sys
from dataclasses import dataclass, replace

import click

from lawflow.cli.check import DENIED, UNUSABLE
from lawflow.cli.declared import Declared, declared
from lawflow.cli.judgement import ObjectFinding, judge
from lawflow.cli.minimize_output import as_json, as_notes, printable
from lawflow.cli.sources import STANDARD_INPUT, read_manifests
from lawflow.law.context import Context
from lawflow.mesh.keys import MASTER_BYTES
from lawflow.minimize.attempt import OtherOperationError, Refused, Sample, attempt
from lawflow.minimize.policy import Direction, Trial, UnfilteredError, trial
from lawflow.model.dataflow import DataFlow
from lawflow.model.operation import Operation
from lawflow.model.parse import suggestion
from lawflow.model.status import Severity
from lawflow.native.minimizer import PolicyError
from lawflow.resolve import resolve_flow

_DEFAULT_METHOD = "POST"


@dataclass(frozen=True)
class Chosen:
    """The flow and operation that a message is tried with."""

    flow: DataFlow
    operation: Operation
    found: Declared

    @property
    def name(self) -> str:
        """NAMESPACE/NAME of the flow."""
        return f"{self.flow.metadata.namespace}/{self.flow.metadata.name}"


@click.command()
@click.option("--flow", "flow_name", required=True, metavar="[NAMESPACE/]NAME", help="The data flow to try.")
@click.option("--operation", "operation_name", required=True, metavar="NAME", help="Its operation.")
@click.option("--response", is_flag=True, help="Try the response and not the request.")
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    default=(".",),
    show_default="this folder",
    metavar="FILE|DIR",
    help="Manifests: a file, or a folder with all below it. Can be repeated.",
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of objects that name none.")
@click.option("--method", help="Method of the request; the operation's first by default, else POST.")
@click.option(
    "--path",
    metavar="/PATH?QUERY",
    help="Path and query of the request; by default the operation's, with each parameter's name for its value.",
)
@click.option("--purpose", metavar="TERM", help="What the request is for, as the header lawflow-purpose says it.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header. Can be repeated.")
@click.option("--content-type", default="application/json", show_default=True, help="Media type of the body.")
@click.option("--status", type=click.IntRange(100, 599), default=200, show_default=True, help="Status of the response.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: the body that leaves on standard output and remarks on standard error; json: all in one document.",
)
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Day on which to judge the flow (YYYY-MM-DD); today in UTC by default.",
)
@click.pass_context
def minimize(
    ctx: click.Context,
    flow_name: str,
    operation_name: str,
    response: bool,
    sources: tuple[str, ...],
    namespace: str,
    method: str | None,
    path: str | None,
    purpose: str | None,
    headers: tuple[str, ...],
    content_type: str,
    status: int,
    output: str,
    today: dt.datetime | None,
) -> None:
    """Show what a data flow lets through of a message, whose body is read from standard input.

    The sidecar's own code decides, under the policy that the mesh would write for this flow alone, were it open. What
    leaves is written to standard output, byte for byte. Standard error tells which fields, headers and query parameters
    are dropped or changed, and why: their names, never their values. Keys are those of this run alone.

    Exits 0 where the message passes, 1 where it is refused, with the problem document that its sender would get, and
    2 where the input cannot be used.
    """  # fmt: skip
    chosen = _chosen(ctx, sources, namespace, flow_name, operation_name)
    direction: Direction = "response" if response else "request"
    try:
        tried = trial(resolve_flow(chosen.flow, chosen.found.objects), direction, secrets.token_bytes(MASTER_BYTES))
    except UnfilteredError as error:
        raise click.UsageError(f"the flow {chosen.name} cannot be tried: {error}", ctx) from None
    for remark in (*_remarks(tried), *_verdict(chosen, today)):
        click.echo(remark, err=True)
    sample = Sample(
        method or next(iter(chosen.operation.methods), _DEFAULT_METHOD),
        path or re.sub(r"[{}]", "", chosen.operation.path),
        _headers(ctx, headers, content_type, body := _body()),
        body,
        purpose,
        status,
    )
    try:
        outcome = attempt(tried, chosen.operation, sample, direction)
    except OtherOperationError as error:
        message = f"such a request belongs to the operation {error.operation} and not to {operation_name}"
        raise click.UsageError(f"{message}; give another --path or --method", ctx) from None
    except PolicyError as error:
        raise click.UsageError(f"the flow {chosen.name} cannot be tried: {error}", ctx) from None
    if output == "json":
        document = as_json(chosen.name, operation_name, direction, outcome)
        click.echo(json.dumps(document, indent=2))
    elif isinstance(outcome, Refused):
        click.echo(outcome.document)
    else:
        click.echo(outcome.body, nl=False)
    for note in as_notes(chosen.name, operation_name, direction, outcome):
        click.echo(note, err=True)
    ctx.exit(DENIED if isinstance(outcome, Refused) else 0)


def _chosen(ctx: click.Context, sources: tuple[str, ...], namespace: str, flow: str, operation: str) -> Chosen:
    if STANDARD_INPUT in sources:
        raise click.UsageError("-f -: standard input is for the body; name a file or a folder", ctx)
    found, problems = declared(read_manifests(sources, sys.stdin.buffer), namespace)
    if problems:
        for problem in problems:
            click.echo(str(problem), err=True)
        noun = "problem" if len(problems) == 1 else "problems"
        click.echo(f"Error: the manifests cannot be used; {len(problems)} {noun} to correct first", err=True)
        ctx.exit(UNUSABLE)
    flows = {f"{each.metadata.namespace}/{each.metadata.name}": each for each, _ in found.flows}
    named = [each for name, each in flows.items() if flow in (name, name.partition("/")[2])]
    if len(named) != 1:
        raise click.UsageError(f"--flow: {_which(flow, list(flows), len(named))}", ctx)
    operations = {each.name: each for each in named[0].spec.operations}
    if operation not in operations:
        hint = suggestion(operation, list(operations)) or f"it has {', '.join(operations) or 'none'}"
        raise click.UsageError(f"--operation: the flow {flow} has no operation {operation!r}; {hint}", ctx)
    return Chosen(named[0], operations[operation], found)


def _which(flow: str, names: list[str], count: int) -> str:
    if count:
        several = [name for name in names if name.partition("/")[2] == flow]
        return f"several flows are called {flow!r}; name one of {', '.join(several)}"
    bare = {name.partition("/")[2]: name for name in names}
    hint = suggestion(flow, names) or suggestion(flow, list(bare))
    return f"no flow {flow!r} in these manifests; {hint or 'name files with -f that declare it'}"


def _headers(
    ctx: click.Context, written: tuple[str, ...], content_type: str, body: bytes
) -> tuple[tuple[str, str], ...]:
    found = []
    for each in written:
        name, colon, value = each.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise click.UsageError("--header: write 'Name: value'", ctx)
        found.append((name, value.strip()))
    if body and "content-type" not in (name.lower() for name, _ in found):
        found.append(("content-type", content_type))
    return tuple(found)


def _body() -> bytes:
    if sys.stdin.isatty():
        click.echo("Reading the body from standard input, up to its end.", err=True)
    return sys.stdin.buffer.read()


def _remarks(tried: Trial) -> list[str]:
    if not tried.has_keys:
        return []
    return ["Values are pseudonymized or encrypted with a random key of this run: others will look different."]


def _verdict(chosen: Chosen, today: dt.datetime | None) -> list[str]:
    """That the mesh would keep the flow closed, where the law denies it."""
    found = chosen.found
    alone = replace(found, flows=tuple(pair for pair in found.flows if pair[0] is chosen.flow), workloads=())
    day = today.date() if today else dt.datetime.now(dt.UTC).date()
    denials = [
        each for each in judge(alone, Context(found.objects), day).findings if each.finding.severity is Severity.DENY
    ]
    if not denials:
        return []
    return [
        f"`lawflow check` finds the flow {chosen.name} unlawful, so the mesh keeps it closed:",
        *(f"  {_finding(each)}" for each in denials),
    ]


def _finding(found: ObjectFinding) -> str:
    return printable(f"{found.finding.rule}: {found.finding.message}")
