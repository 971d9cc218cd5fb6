"""The rule catalogue as a page of Markdown, made from the rules themselves."""

from collections.abc import Iterator
from typing import Any

import yaml

from lawflow.law.catalogue import CHAPTERS
from lawflow.law.rule import Patch, Rule

_INTRODUCTION = """# Rules

<!-- Generated from the rules by `lawflow generate docs`. -->

What Lawflow checks in a flow, in the order in which it tells findings of equal weight. It checks what is declared:
presence, consistency and expiry, never legal truth. **deny** closes the flow, **warn** only tells. Rules whose id
begins with `HOUSE-` are Lawflow's own and no sentence of the law. `lawflow explain RULE` prints an entry.

The examples are changes to the lawful flow in `operator/lawflow/law/example.py`, by field path; `null` takes a
field away. That flow passes every rule; an entry shows what else passes where its rule looks only at other flows. All
examples run as tests."""


class _Names(dict[str, str]):
    """Shows the names in a message as words in italics."""

    def __missing__(self, name: str) -> str:
        return f"*{name}*"


def catalogue_page() -> str:
    """The rule catalogue: every rule with its words, its reason and its two examples."""
    return "\n".join(_lines()) + "\n"


def in_words(template: str) -> str:
    """A message or fix with its names as words."""
    return template.format_map(_Names())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for title, rules in CHAPTERS:
        yield ""
        yield f"## {title}"
        for rule in rules:
            yield ""
            yield from _entry(rule)


def _entry(rule: Rule) -> Iterator[str]:
    article = "Lawflow's own" if rule.house else f"[Article {rule.article}]({rule.reference})"
    yield f"### {rule.id}"
    yield ""
    repair = "; other objects can repair it" if rule.repairable else ""
    yield f"**{rule.severity}** · {article} · each {rule.per.name}{repair}"
    yield ""
    yield rule.reason
    yield ""
    yield f"* Finding: {in_words(rule.message)}"
    yield f"* Fix: {in_words(rule.fix)}"
    yield ""
    if rule.passing:
        yield from _example("Passes", rule.passing)
        yield ""
    yield from _example("Fails", rule.failing)


def _example(title: str, patch: Patch) -> Iterator[str]:
    yield f"{title}:"
    yield ""
    yield "```yaml"
    for path, value in patch.items():
        inline = yaml.dump([_plain(value)], default_flow_style=True, allow_unicode=True, width=100, Dumper=_Dumper)
        yield f"{path}: {inline.strip()[1:-1]}".replace("\n", "\n  ")
    yield "```"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


class _Dumper(yaml.SafeDumper):
    """Writes every value out, without anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True
