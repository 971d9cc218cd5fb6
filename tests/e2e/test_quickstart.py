"""What the README prints for the first minutes on a cluster works as it stands there."""

import re
import subprocess

import pytest
from tests.e2e.conftest import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## On a cluster")[2].partition("\n## ")[0]
COMMANDS = "".join(re.findall(r"^ {4}(.*\n)", SECTION, re.MULTILINE))


def test_the_quickstart_runs_and_shows_what_left_the_app(apart: dict[str, str]) -> None:
    assert COMMANDS.startswith('eval "$(make --silent cluster)"\n')
    done = subprocess.run(["bash", "-ec", COMMANDS], cwd=ROOT, env=apart, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *told, last = done.stdout.splitlines()
    assert any(re.search(r"^orders-to-billing +A6-1-b +True ", line) for line in told), told
    sent, _, got = last.partition(" - got ")
    assert "1980-02-29" in sent
    assert got == """{"received":"{'customer': {'id': 'c-17'}, 'amount': 12}"}"""
