"""The verdict that follows from findings."""

from collections.abc import Iterable

from lawflow.law.catalogue import RULES
from lawflow.model.status import Finding, Severity


def lawful(findings: Iterable[Finding]) -> bool:
    """Whether nothing denies."""
    return all(finding.severity is not Severity.DENY for finding in findings)


def beyond_repair(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that deny and that no other object could repair: reason to refuse the flow itself at once."""
    return [found for found in findings if found.severity is Severity.DENY and not RULES[found.rule].repairable]
