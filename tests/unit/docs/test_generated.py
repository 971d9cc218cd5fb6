"""The pages that are made from the code."""

import re
from pathlib import Path

import pytest

from lawflow.cli.generate import document_files
from lawflow.cli.rules import RULE_TEXTS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("path", "text"), list(document_files()))
def test_a_page_in_the_repository_is_that_of_the_code(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text, "run `lawflow generate docs`"


def test_the_page_of_rules_has_every_rule_that_a_finding_can_name() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == list(RULE_TEXTS)
