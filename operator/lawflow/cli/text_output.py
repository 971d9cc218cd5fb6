"""Judgements for people: grouped by object, weightiest first, fitting the terminal."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath

import click

from lawflow.cli.judgement import Judgement, ObjectFinding
from lawflow.model.status import Severity

WIDTH_WITHOUT_TERMINAL = 100
_COLOURS = {Severity.DENY: "red", Severity.WARN: "yellow", Severity.INFO: "blue"}
_INDENT = "        "


def colours_wanted() -> bool:
    """Whether to colour standard output: on a terminal that can, unless NO_COLOR (no-color.org) says otherwise."""
    return _on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def terminal_width() -> int:
    """Columns of the terminal (or COLUMNS), at least 40, at most 120, so that lines stay readable."""
    return max(40, min(120, shutil.get_terminal_size((WIDTH_WITHOUT_TERMINAL, 24)).columns))


def as_text(judgement: Judgement, width: int) -> Iterator[str]:
    """The lines to print, with ANSI colours (the caller strips them where none are wanted)."""
    objects = {
        key: list(members)
        for key, members in groupby(sorted(judgement.findings, key=lambda f: (_object(f), f.sort_key)), key=_object)
    }
    for members in sorted(objects.values(), key=lambda members: members[0].sort_key):
        yield _heading(members[0])
        for found in members:
            yield from _finding(found, width)
        yield ""
    yield _summary(judgement)


def _object(found: ObjectFinding) -> tuple[str, ...]:
    return found.kind, found.namespace, found.name, found.file


def _heading(found: ObjectFinding) -> str:
    name = "/".join(part for part in (found.namespace, found.name) if part)
    return f"{click.style(f'{found.kind} {name}', bold=True)}  {PurePosixPath(found.file)}"


def _finding(found: ObjectFinding, width: int) -> Iterator[str]:
    finding = found.finding
    severity = click.style(f"{finding.severity.value:<5}", fg=_COLOURS[finding.severity], bold=True)
    article = "house rule" if finding.article == "house" else f"Art. {finding.article}"
    yield f"  {severity} {finding.rule}  {click.style(article, dim=True)}"
    yield f"{_INDENT}{click.style(f'line {found.line}: {finding.path}', dim=True)}"
    yield from _wrapped(finding.message, width, "")
    yield from _wrapped(finding.fix, width, "fix: ")


def _wrapped(text: str, width: int, label: str) -> Iterator[str]:
    indent = _INDENT + " " * len(label)
    yield from textwrap.wrap(
        text,
        width,
        initial_indent=_INDENT + label,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(judgement: Judgement) -> str:
    objects = _count(judgement.objects, "object")
    if not judgement.findings:
        return click.style(f"Nothing found in {objects}.", fg="green")
    counts = ", ".join(
        click.style(f"{judgement.count(severity)} {severity.value}", fg=_COLOURS[severity])
        for severity in Severity
        if judgement.count(severity)
    )
    return f"{counts} in {objects}. `lawflow explain RULE` says more."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
