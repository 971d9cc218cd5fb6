"""``lawflow suggest``: the fields to declare, from samples of bodies."""

import sys
from pathlib import Path
from typing import Any

import click

from lawflow import law
from lawflow.cli.check import UNUSABLE
from lawflow.cli.sources import STANDARD_INPUT
from lawflow.minimize.categories import TODO
from lawflow.minimize.document import DocumentError, Members, documents
from lawflow.minimize.suggestion import LONGEST, MOST, Suggestion, as_yaml
from lawflow.minimize.suggestion import suggest as suggested


@click.command()
@click.argument("samples", nargs=-1, metavar="[SAMPLE|-]...")
@click.option("--request", "part", flag_value="request", help="Write the fields below request:.")
@click.option("--response", "part", flag_value="response", help="Write the fields below response:.")
@click.pass_context
def suggest(ctx: click.Context, samples: tuple[str, ...], part: str | None) -> None:
    """Propose the fields of an operation, in YAML, from samples of its body (JSON, NDJSON).

    Samples are read from files, or from standard input. The more samples, the better: a field that none of them holds
    is not proposed. Names of fields are written, values never.

    * stands for every element of an array and for the names of maps. A name counts as a map's where it looks like a
    value itself: a number, a date, an address, an id with five digits in a row or sixteen hexadecimal ones, or more
    than 64 characters. All names of an object inside a body count as a map's where there are 16 or more, all lead to
    the same, and that is an object or array, or no sample holds half of the names. Look at every star: it lets all
    names pass.

    The category is given where the name leaves no doubt. Elsewhere pd:TODO stands, which `lawflow check` refuses, until
    you decide: a term of the vocabulary, or none for what is no personal data.

    Exits 0, or 2 where a sample cannot be used.
    """  # fmt: skip
    found: list[Any] = []
    for sample in samples or (STANDARD_INPUT,):
        try:
            read = documents(sys.stdin.buffer.read() if sample == STANDARD_INPUT else Path(sample).read_bytes())
        except DocumentError as error:
            _unusable(ctx, sample, str(error))
        except OSError as error:
            _unusable(ctx, sample, str(error.strerror or error).lower())
        if not all(isinstance(each, Members | list) for each in read):
            _unusable(ctx, sample, "it is a single value, which has no fields")
        found += read
    suggestion = suggested(found, law.default_legal_data().vocabulary.category_names)
    for line in as_yaml(suggestion, part):
        click.echo(line)
    for remark in _remarks(suggestion):
        click.echo(remark, err=True)


def _unusable(ctx: click.Context, sample: str, why: str) -> None:
    name = "<stdin>" if sample == STANDARD_INPUT else sample
    click.echo(f"Error: {name}: {why}; give a body in JSON or NDJSON", err=True)
    ctx.exit(UNUSABLE)


def _remarks(suggestion: Suggestion) -> list[str]:
    remarks = []
    if suggestion.open:
        remarks.append(
            f"{suggestion.open} of {len(suggestion.fields)} categories are yours to decide: {TODO} stands in their "
            "place, and `lawflow check` refuses it."
        )
    if len(suggestion.fields) > MOST:
        remarks.append(f"{len(suggestion.fields)} fields are more than one message can declare ({MOST}).")
    if suggestion.too_long:
        remarks.append(f"{suggestion.too_long} pointers are longer than {LONGEST} characters and are left out.")
    return remarks
