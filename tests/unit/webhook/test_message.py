"""A refusal fits a terminal and says the most important thing first."""

import pytest

from lawflow.model.status import Finding, Severity
from lawflow.webhook.decision import warning
from lawflow.webhook.message import WIDTH, refusal

pytestmark = pytest.mark.unit


def finding(number: int, words: str = "agreement ") -> Finding:
    return Finding(
        rule=f"GDPR-28-3-{number}",
        article="28(3)",
        severity=Severity.DENY,
        path=f".spec.purposes[{number}]",
        message=words * 30,
        fix=f"{words * 20}!",
    )


def test_three_findings_are_told_and_the_rest_counted() -> None:
    told = refusal("Deployment shop/a", "shop", [("first", "is unlawful", [finding(n) for n in range(7)])])

    assert told.count("GDPR-28-3-") == 3
    assert told.splitlines()[-1] == "and 4 more: kubectl describe dataflow first -n shop"


def test_the_rest_is_looked_for_at_the_first_flow_that_is_not_told_whole() -> None:
    obstacles = [(name, "is unlawful", [finding(n) for n in range(2)]) for name in ("first", "second", "third")]

    told = refusal("Deployment shop/a", "shop", obstacles)

    assert "DataFlow third" not in told
    assert told.splitlines()[-1] == "and 3 more: kubectl describe dataflow second -n shop"


def test_lines_are_wrapped_to_the_width_of_a_terminal() -> None:
    told = refusal("Deployment shop/a", "shop", [("first", "is unlawful", [finding(0)])])

    assert all(len(line) <= WIDTH for line in told.splitlines())


def test_a_warning_is_one_printable_line_of_bounded_length() -> None:
    line = warning("first\nsecond\x07 " + "x" * 500)

    assert line.startswith("first second x")
    assert line.isprintable()
    assert len(line) == 240
