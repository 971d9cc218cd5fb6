"""What the command line says about rules: those of the law, and its own two about what surrounds a flow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lawflow.cli.judgement import NOT_ACCEPTED, UNLAWFUL_FLOW
from lawflow.law import RULES, Rule
from lawflow.model.status import Severity


@dataclass(frozen=True)
class RuleText:
    """A rule in words."""

    id: str
    article: str
    severity: Severity
    summary: str
    reason: str
    fix: str
    reference: str = ""
    """Address of the official text; empty for a rule of the house."""
    failing: Mapping[str, Any] = field(default_factory=dict)
    """Changes to a lawful flow that the rule finds, by field path."""


class _Placeholders(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def _of_law(rule: Rule) -> RuleText:
    return RuleText(
        rule.id,
        rule.article,
        rule.severity,
        rule.message.format_map(_Placeholders()),
        rule.reason,
        rule.fix.format_map(_Placeholders()),
        rule.reference,
        rule.failing,
    )


OWN_RULES = (
    RuleText(
        UNLAWFUL_FLOW,
        "house",
        Severity.DENY,
        "a flow of the workload is unlawful",
        "A workload answers for the flows whose source is its service account and for those that its pod template "
        "names; a cluster refuses its pods while one of them is unlawful.",
        "repair the flow; its own findings say how",
    ),
    RuleText(
        NOT_ACCEPTED,
        "house",
        Severity.WARN,
        "the Service in another namespace does not accept the flow",
        "Nobody grants themselves access: a flow into another namespace stays closed until that side accepts it.",
        "let the owner of the Service add the flow's namespace to the annotation lawflow.dev/accept-flows-from",
    ),
)
"""Rules that only ``lawflow check`` has: they look at several objects at once."""

RULE_TEXTS: Mapping[str, RuleText] = {text.id: text for text in (*map(_of_law, RULES.values()), *OWN_RULES)}
"""Every rule that a finding of ``lawflow check`` can name, by id."""


def rule_text(rule: str) -> RuleText:
    """The words for a rule that a finding names."""
    return RULE_TEXTS[rule]
