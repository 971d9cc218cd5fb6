"""The README and the pages beside it: what they name exists, and what they show works."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click import Context
from click.testing import CliRunner

from lawflow.cli.check import check
from lawflow.cli.explain import explain
from lawflow.cli.main import COMMANDS, cli
from lawflow.model import labels

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("bench/*.md")])
COMMAND = re.compile(r"(?:^ {4}|`)lawflow ([a-z]+)((?: [^`\n]*)?)", re.MULTILINE)
BLOCK = re.compile(r"(?:^(?: {4}.*)?\n)+", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_and_command_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"(?:^ {4}|`)make ([a-z0-9-]+)", text, re.MULTILINE):
        assert target in targets
    for name, arguments in COMMAND.findall(text):
        assert name in COMMANDS
        command = cli.get_command(Context(cli), name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", arguments):
            assert option in options, f"lawflow {name} {option}"


def test_the_first_flow_fits_the_schema_and_has_no_denial(tmp_path: Path) -> None:
    (flow,) = [block for block in BLOCK.findall(README.partition("## A first flow")[2]) if "kind: DataFlow" in block]
    file = tmp_path / "flow.yaml"
    file.write_text("\n".join(line[4:] for line in flow.splitlines()), encoding="utf-8")
    lawful = ROOT / "examples" / "shop" / "lawful"
    sources = [file, lawful / "controller.yaml", lawful / "datasets.yaml"]
    arguments = [word for source in sources for word in ("-f", str(source))]
    result = CliRunner().invoke(check, [*arguments, "--today", "2026-11-01"])
    assert result.exit_code == 0, result.output
    assert "unresolved" not in result.output


def test_the_commands_that_judge_and_explain_work_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = {(name, tuple(shlex.split(words))) for name, words in re.findall(r"^ {4}lawflow (\w+) (.*)$", README, re.M)}
    assert {name for name, _ in shown} >= {"check", "explain"}
    for name, words in shown:
        if name == "explain":
            assert CliRunner().invoke(explain, words).exit_code == 0
        elif name == "check":
            result = CliRunner().invoke(check, [*words, "--today", "2026-11-01"])
            assert result.exit_code == ("unlawful" in " ".join(words)), result.output


def test_the_table_of_labels_names_those_that_lawflow_reads() -> None:
    known = {value for name, value in vars(labels).items() if name.isupper()}
    named = re.findall(r"^\| `(lawflow\.dev/[a-z-]+)", README, re.MULTILINE)
    assert {labels.INJECT, labels.ENFORCE, labels.MISSING, labels.FLOWS, labels.ACCEPT_FLOWS_FROM} <= set(named)
    assert set(named) <= known


def test_every_value_that_is_named_by_its_path_is_one_of_the_chart() -> None:
    values = yaml.safe_load((ROOT / "charts" / "lawflow" / "values.yaml").read_text(encoding="utf-8"))
    paths = re.findall(r"`([a-z][A-Za-z]*)\.([a-z][A-Za-z]*)`", README)
    assert ("crds", "keep") in paths
    for group, name in paths:
        assert name in values[group]
