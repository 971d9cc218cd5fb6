"""``lawflow explain``: a rule in words."""

import textwrap
from collections.abc import Iterator

import click
import yaml
from click.shell_completion import CompletionItem

from lawflow.cli.rules import RULE_TEXTS, RuleText
from lawflow.cli.text_output import colours_wanted, terminal_width
from lawflow.model.parse import suggestion


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(text.id, help=text.summary)
        for text in RULE_TEXTS.values()
        if text.id.lower().startswith(incomplete.lower())
    ]


@click.command()
@click.argument("rule", required=False, shell_complete=_complete)
@click.pass_context
def explain(ctx: click.Context, rule: str | None) -> None:
    """Explain a RULE: its article, what it asks for, why, and an example that fails it.

    Without a rule, list them all.
    """
    colour = colours_wanted()
    if rule is None:
        width = max(map(len, RULE_TEXTS))
        for text in RULE_TEXTS.values():
            click.echo(f"{text.id:<{width}}  {text.severity.value:<5} {text.summary}", color=colour)
        return
    by_id = {id_.lower(): text for id_, text in RULE_TEXTS.items()}
    found = by_id.get(rule.lower())
    if found is None:
        hint = suggestion(rule, list(RULE_TEXTS)) or "`lawflow explain` lists them all"
        click.echo(f"Error: no rule {rule!r}; {hint}", err=True)
        ctx.exit(2)
    for line in _lines(found, terminal_width()):
        click.echo(line, color=colour)


def _lines(text: RuleText, width: int) -> Iterator[str]:
    article = "a rule of Lawflow's own (house)" if text.article == "house" else f"Article {text.article} GDPR"
    yield click.style(text.id, bold=True)
    yield f"{article}, severity {text.severity.value}"
    for label, words in (("Finds", text.summary), ("Why", text.reason), ("Fix", text.fix), ("Text", text.reference)):
        if words:
            yield ""
            yield click.wrap_text(f"{label}: {words}", width, subsequent_indent=" " * (len(label) + 2))
    if text.failing:
        yield ""
        yield "A lawful flow with these changes fails it (paths below .spec):"
        for path, value in text.failing.items():
            if isinstance(value, dict | list) and value:
                yield f"  {path}:"
                block = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=width)
                yield textwrap.indent(block.rstrip("\n"), " " * 4)
            else:
                dumped = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=10_000)
                shown = "absent" if value is None else dumped.removesuffix("\n").removesuffix("\n...")
                yield f"  {path}: {shown}"
