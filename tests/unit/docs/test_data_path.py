"""docs/data-path.md states nothing that no case of the corpus shows, and lists every rule."""

import re
from pathlib import Path

import pytest
from tests.support.evasions import FOLDER, cases

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "data-path.md").read_text(encoding="utf-8")
KINDS = {file.stem for file in FOLDER.glob("*.yaml")}


def test_every_case_that_is_named_exists() -> None:
    named = [each for each in re.findall(r"`([^`]+)`", PAGE) if each.partition(":")[0] in KINDS and ": " in each]
    known = {case.id for case in cases()}
    assert len(named) > 100
    assert [each for each in named if each not in known] == []


def test_every_row_is_backed_by_a_case() -> None:
    rows = PAGE.partition("## Refusals")[0].splitlines()
    bare = [row for row in rows if row.startswith("| ") and " case |" not in row and not row.rstrip().endswith("` |")]
    assert bare == []


def test_every_rule_is_listed() -> None:
    sources = ROOT / "sidecar" / "core" / "src"
    refusals = re.findall(r'Self::\w+ => "([a-z-]+)"', (sources / "minimize" / "refusal.rs").read_text())
    denials = re.findall(r'denied\(\s*"([a-z-]+)"', (sources / "policy" / "mod.rs").read_text())
    assert refusals
    assert denials
    table = PAGE.partition("## Refusals")[2]
    assert [rule for rule in [*refusals, *denials] if f"`{rule}`" not in table] == []


def test_the_kinds_of_the_corpus_are_those_that_the_page_speaks_of() -> None:
    assert [kind for kind in sorted(KINDS) if f"`{kind}: " not in PAGE] == []
