"""Each rule's own examples, and what all rules have in common."""

import re

import pytest

from lawflow.law import RULES, Rule, evaluate, evaluate_workload, lawful
from lawflow.law.catalogue import CHAPTERS
from lawflow.law.example import EXAMPLE_DAY, situation_of, workloads_of
from lawflow.law.rule import Patch, official_text
from lawflow.model.status import Finding, Severity

pytestmark = pytest.mark.unit

_every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())


def _findings(rule: Rule, example: Patch) -> list[Finding]:
    flow, context = situation_of(example)
    if rule.per.name == "workload":
        workload, others = workloads_of(example)
        return evaluate_workload(workload, [flow], others)
    return evaluate(flow, context, EXAMPLE_DAY)


def test_the_example_flow_is_lawful_without_a_single_finding() -> None:
    flow, context = situation_of({})
    assert evaluate(flow, context, EXAMPLE_DAY) == []


def test_no_rule_has_the_id_of_another() -> None:
    assert len(RULES) == sum(len(rules) for _, rules in CHAPTERS)


@_every_rule
def test_a_rule_passes_its_passing_example_and_nothing_else_denies(rule: Rule) -> None:
    findings = _findings(rule, rule.passing)
    assert rule.id not in {found.rule for found in findings}
    assert lawful(findings)


@_every_rule
def test_a_rule_finds_its_failing_example_with_its_own_severity(rule: Rule) -> None:
    found = [finding for finding in _findings(rule, rule.failing) if finding.rule == rule.id]
    assert found
    assert {finding.severity for finding in found} == {rule.severity}


@_every_rule
def test_a_failing_example_is_told_once_and_not_under_other_names(rule: Rule) -> None:
    others = {
        found.rule
        for found in _findings(rule, rule.failing)
        if found.severity is Severity.DENY and found.rule != rule.id
    }
    # The same missing contact is missed in both records where one DataController is both controller and processor.
    assert others <= ({"GDPR-30-1-a-contact-missing"} if rule.id == "GDPR-30-2-a-controller-contact-missing" else set())


@_every_rule
def test_a_finding_says_what_where_and_what_to_do_without_calling_anything_illegal(rule: Rule) -> None:
    for finding in _findings(rule, rule.failing):
        assert re.fullmatch(r"(\.[A-Za-z0-9./-]+(\[\d+\])*)+", finding.path)
        for text in (finding.message, finding.fix):
            assert text
            assert "{" not in text
            assert "illegal" not in text
            assert "unlawful" not in text


@_every_rule
def test_an_id_names_its_article_or_the_house(rule: Rule) -> None:
    assert re.fullmatch(r"(GDPR-\d+|HOUSE)(-[a-z0-9]+)+", rule.id)
    assert rule.house == rule.id.startswith("HOUSE-")
    assert rule.reason.endswith((".", ")"))
    if not rule.house:
        assert rule.reference.startswith("https://eur-lex.europa.eu/eli/reg/2016/679/")


def test_the_official_text_is_found_by_the_number_of_the_article() -> None:
    assert official_text("6(1)(f)").endswith("#art_6")
    assert official_text("46(2)(c)").endswith("#art_46")


def test_findings_come_weightiest_first_and_in_the_order_of_the_catalogue() -> None:
    flow, context = situation_of({"purposes[0].lawfulBasis": None, "owner": None, "retention": None, "notice": None})
    assert [(found.severity.value, found.rule) for found in evaluate(flow, context, EXAMPLE_DAY)] == [
        ("deny", "GDPR-6-1-basis-missing"),
        ("deny", "GDPR-5-1-e-retention-missing"),
        ("warn", "GDPR-5-1-a-notice-missing"),
        ("warn", "HOUSE-owner-missing"),
    ]
