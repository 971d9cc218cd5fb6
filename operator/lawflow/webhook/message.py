"""A refusal in words: flow, rule, article, path and fix, the most important first, no wider than a terminal."""

import textwrap
from collections.abc import Sequence

from lawflow.model.status import Finding

WIDTH = 96
FINDINGS_SHOWN = 3


def refusal(subject: str, namespace: str, obstacles: Sequence[tuple[str, str, Sequence[Finding]]]) -> str:
    """Why a workload is refused.

    ``subject`` names it, e.g. ``Deployment shop/orders``; an obstacle is a flow's name, what is wrong with it in a few
    words, and its findings, the weightiest first.
    """
    count = len(obstacles)
    what = "a data flow that is" if count == 1 else f"{count} data flows that are"
    lines = [f"{subject} has {what} not lawful."]
    shown = 0
    for flow, state, findings in obstacles:
        if shown >= FINDINGS_SHOWN:
            break
        lines += ["", f"DataFlow {flow} {state}"]
        for finding in findings[: FINDINGS_SHOWN - shown]:
            lines += _finding(finding)
            shown += 1
        if not findings:
            shown += 1
    lines += _rest(namespace, obstacles)
    return "\n".join(lines)


def refused_resource(kind: str, name: str, namespace: str, findings: Sequence[Finding], more: str) -> str:
    """Why a resource of Lawflow's own is refused; ``more`` says where the rest of the findings can be read."""
    where = f"{namespace}/{name}" if namespace else name
    lines = [f"{kind} {where} cannot become lawful by adding other objects."]
    for finding in findings[:FINDINGS_SHOWN]:
        lines += _finding(finding)
    left = len(findings) - FINDINGS_SHOWN
    if left > 0:
        lines += ["", f"and {left} more: {more}"]
    return "\n".join(lines)


def reference(finding: Finding) -> str:
    """The rule with its article, e.g. ``GDPR-28-3-agreement-missing (Article 28(3))``."""
    article = "house rule" if finding.article == "house" else f"Article {finding.article}"
    return f"{finding.rule} ({article})"


def sentence(finding: Finding) -> str:
    """A finding on one line, for warnings."""
    return f"{reference(finding)} {finding.path}: {finding.message} Fix: {finding.fix}"


def _finding(finding: Finding) -> list[str]:
    return [
        f"  {reference(finding)}",
        f"    at   {finding.path}",
        *_wrapped("    why  ", finding.message),
        *_wrapped("    fix  ", finding.fix),
    ]


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rest(namespace: str, obstacles: Sequence[tuple[str, str, Sequence[Finding]]]) -> list[str]:
    total = sum(max(len(findings), 1) for _, _, findings in obstacles)
    left = total - FINDINGS_SHOWN
    if left <= 0:
        return []
    first_hidden = 0
    for flow, _, findings in obstacles:
        first_hidden += max(len(findings), 1)
        if first_hidden > FINDINGS_SHOWN:
            return ["", f"and {left} more: kubectl describe dataflow {flow} -n {namespace}"]
    return []
