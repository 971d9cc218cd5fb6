"""Rules over a flow: findings, weightiest first, and the day on which to look again."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lawflow.law.catalogue import RULES
from lawflow.law.context import Context
from lawflow.law.kinds import PARTS
from lawflow.law.rule import Check, Part, Rule
from lawflow.law.situation import Situation
from lawflow.model.dataflow import DataFlow
from lawflow.model.status import Finding, Severity
from lawflow.resolve import resolve_flow

_WEIGHT = {Severity.DENY: 0, Severity.WARN: 1, Severity.INFO: 2}
_POSITION = {rule.id: position for position, rule in enumerate(RULES.values())}

Plan = tuple[tuple[Part[Any], Mapping[str, tuple[tuple[Check[Any], Rule], ...]]], ...]
"""For each kind of part, the rules that concern it by facet, so that others cost nothing."""


@dataclass(frozen=True)
class Assessment:
    """What the rules say of a flow on a day, and the next day on which they may say something else."""

    findings: list[Finding]
    next_review: dt.date | None


def assess(flow: DataFlow, context: Context, today: dt.date) -> Assessment:
    """Judge a flow. Pure and deterministic; never raises on a flow that fits its schema."""
    situation = Situation(resolve_flow(flow, context.objects), context, today)
    found: list[tuple[int, int, str, Finding]] = []
    for part, by_facet in _plan(context.disabled_rules, flow.spec.out_of_scope is not None):
        for element in part.of(situation):
            for facet in element.facets:
                for check, rule in by_facet.get(facet, ()):
                    outcome = check(element)
                    if outcome:
                        finding = rule.finding(element, outcome)
                        found.append((_WEIGHT[finding.severity], _POSITION[rule.id], finding.path, finding))
    found.sort(key=lambda entry: entry[:3])
    return Assessment([entry[3] for entry in found], situation.next_review)


def evaluate(flow: DataFlow, context: Context, today: dt.date) -> list[Finding]:
    """The findings on a flow on a day, weightiest first."""
    return assess(flow, context, today).findings


def next_review(flow: DataFlow, context: Context, today: dt.date) -> dt.date | None:
    """The first day after ``today`` on which a date that the verdict rests on has passed; None where there is none."""
    return assess(flow, context, today).next_review


@lru_cache(maxsize=64)
def _plan(disabled: frozenset[str], out_of_scope: bool) -> Plan:
    concerned = ("out", "any") if out_of_scope else ("in", "any")
    rules = [rule for rule in RULES.values() if rule.id not in disabled and rule.scope in concerned]
    plan = []
    for part in PARTS:
        by_facet: dict[str, tuple[tuple[Check[Any], Rule], ...]] = {}
        for rule in rules:
            if rule.per is part:
                by_facet[rule.when] = (*by_facet.get(rule.when, ()), (rule.check, rule))
        if by_facet:
            plan.append((part, by_facet))
    return tuple(plan)
