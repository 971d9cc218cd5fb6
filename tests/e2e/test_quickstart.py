"""What the README prints for the first minutes on a cluster works as it stands there."""

import re
import shlex

import pytest
from tests.support.builds import GO_MODULES
from tests.support.node.cluster import NodeCluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = GO_MODULES.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The two before are what the fixture has done: a cluster with the images on it, and the chart.
APPLY, WAIT, GET, LOGS = (
    shlex.split(words)
    for words in re.findall(r"^ {4}kubectl (.*)$", README.partition("## On a cluster")[2].partition("\n## ")[0], re.M)
)


def test_the_quickstart_runs_and_shows_what_left_the_app(
    installed: NodeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    installed.kubectl(*APPLY)
    installed.kubectl(*WAIT, seconds=150.0)
    listed = installed.kubectl(*GET).stdout
    assert re.search(r"^orders-to-billing +A6-1-b +True ", listed, re.MULTILINE), listed
    sent, _, got = installed.kubectl(*LOGS).stdout.partition(" - got ")
    assert "1980-02-29" in sent
    assert got.strip() == """{"received":"{'customer': {'id': 'c-17'}, 'amount': 12}"}"""
