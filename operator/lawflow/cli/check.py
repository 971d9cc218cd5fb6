"""``lawflow check``: judge manifests without a cluster."""

import asyncio
import datetime as dt
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import yaml

from lawflow import law
from lawflow.cli.declared import Declared, declared
from lawflow.cli.judgement import Judgement, judge
from lawflow.cli.machine_output import as_json, as_policy_reports, as_sarif
from lawflow.cli.rules import RULE_TEXTS
from lawflow.cli.sources import read_manifests
from lawflow.cli.text_output import as_text, colours_wanted, terminal_width
from lawflow.law.context import Context
from lawflow.manifest import LocatedProblem
from lawflow.model.parse import suggestion
from lawflow.model.status import Severity
from lawflow.resolve import Objects

CLEAN, DENIED, UNUSABLE = 0, 1, 2


@click.command()
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="Manifests: a file, a folder with all below it, or - for standard input. Can be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "sarif", "policyreport"]),
    default="text",
    show_default=True,
    help="Form of the result.",
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of objects that name none.")
@click.option("--strict", is_flag=True, help="Let warnings count as denials.")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Day on which to judge (YYYY-MM-DD); today in UTC by default.",
)
@click.option("--disable", "disabled", multiple=True, metavar="RULE", help="Turn off a house rule. Can be repeated.")
@click.option(
    "--legal-data",
    "legal_data",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Change the legal data that ship with Lawflow (a merge patch in YAML). Can be repeated.",
)
@click.option("--cluster", is_flag=True, help="Look up what the manifests refer to in the cluster.")
@click.option("--context", "cluster_context", metavar="NAME", help="Context of the kubeconfig, with --cluster.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE", help="Kubeconfig, with --cluster.")
@click.pass_context
def check(
    ctx: click.Context,
    sources: tuple[str, ...],
    output: str,
    namespace: str,
    strict: bool,
    today: dt.datetime | None,
    disabled: tuple[str, ...],
    legal_data: tuple[Path, ...],
    cluster: bool,
    cluster_context: str | None,
    kubeconfig: Path | None,
) -> None:
    """Judge manifests: which data flows lack a lawful basis, and why.

    Reads YAML and JSON, many documents to a file, workloads and Lawflow kinds mixed. Exits 0 where nothing denies,
    1 where something does, 2 where the input cannot be used.
    """  # fmt: skip
    rules = _house_rules(disabled)
    try:
        legal = law.load_legal_data(*legal_data)
    except law.LegalDataError as error:
        raise click.UsageError(str(error), ctx) from None
    found, problems = declared(read_manifests(sources, sys.stdin.buffer), namespace)
    if problems:
        _tell(problems)
        ctx.exit(UNUSABLE)
    objects = found.objects
    if cluster:
        objects = _with_cluster(found, kubeconfig, cluster_context)
    elif cluster_context or kubeconfig:
        raise click.UsageError("--context and --kubeconfig need --cluster", ctx)
    context = Context(objects, legal, rules, "deny" if cluster else "info")
    judgement = judge(found, context, today.date() if today else dt.datetime.now(dt.UTC).date())
    for line in _rendered(judgement, output):
        click.echo(line, color=colours_wanted())
    denied = judgement.count(Severity.DENY) or (strict and judgement.count(Severity.WARN))
    ctx.exit(DENIED if denied else CLEAN)


def _rendered(judgement: Judgement, output: str) -> Iterable[str]:
    match output:
        case "json":
            return [json.dumps(as_json(judgement), indent=2)]
        case "sarif":
            return [json.dumps(as_sarif(judgement), indent=2)]
        case "policyreport":
            reports = as_policy_reports(judgement)
            text = yaml.safe_dump_all(reports, sort_keys=False, explicit_start=True)
            return [text.rstrip("\n")] if reports else []
        case _:
            return as_text(judgement, terminal_width())


def _house_rules(names: tuple[str, ...]) -> frozenset[str]:
    for name in names:
        text = RULE_TEXTS.get(name)
        if text is None:
            hint = suggestion(name, list(RULE_TEXTS)) or "`lawflow explain` lists them all"
            raise click.UsageError(f"--disable: no rule {name!r}; {hint}")
        if text.article != "house":
            raise click.UsageError(
                f"--disable: {name} is Article {text.article} of the GDPR; only house rules can be turned off"
            )
    return frozenset(names)


def _tell(problems: tuple[LocatedProblem, ...]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    noun = "problem" if len(problems) == 1 else "problems"
    click.echo(f"Error: the input cannot be judged; {len(problems)} {noun} to correct first", err=True)


def _with_cluster(found: Declared, kubeconfig: Path | None, context: str | None) -> Objects:
    # Only here, so that a check without a cluster never loads a client for one.
    from lawflow.cli.cluster import objects_with_cluster
    from lawflow.store.protocol import StoreError

    try:
        return asyncio.run(objects_with_cluster(found, kubeconfig, context))
    except StoreError as error:
        raise click.UsageError(f"--cluster: {error}") from None
