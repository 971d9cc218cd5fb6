"""``lawflow explain``."""

import pytest
from tests.support.cli import Run

from lawflow.cli.rules import RULE_TEXTS
from lawflow.law import RULES

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("rule", RULE_TEXTS)
def test_every_rule_can_be_explained(run: Run, rule: str) -> None:
    result = run("explain", rule)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{rule}\n")
    assert "Fix: " in result.out
    assert "{" not in result.out.split("A lawful flow with these changes")[0]


def test_the_list_holds_every_rule_of_the_law(run: Run) -> None:
    out = run("explain").out
    assert set(RULES) <= {line.split()[0] for line in out.splitlines()}


def test_a_rule_is_found_whatever_its_case(run: Run) -> None:
    assert run("explain", "gdpr-6-1-basis-missing").out.startswith("GDPR-6-1-basis-missing\n")


def test_an_unknown_rule_ends_with_2_and_a_suggestion(run: Run) -> None:
    result = run("explain", "GDPR-6-1-basis-mising")
    assert (result.code, result.out) == (2, "")
    assert "did you mean GDPR-6-1-basis-missing?" in result.err


def test_nothing_like_a_rule_gets_the_way_to_the_list(run: Run) -> None:
    assert "`lawflow explain` lists them all" in run("explain", "xyzzy").err
