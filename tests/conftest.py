"""For all tiers: whether they can run here is settled after collection, so that no build counts as a test's time."""

import hypothesis
import pytest
from tests.support import tiers

# How long an example takes is no behaviour; a machine that is busy would fail it.
hypothesis.settings.register_profile("lawflow", deadline=None)
hypothesis.settings.load_profile("lawflow")


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # a build says what it is doing
        for tier in sorted(tiers.tiers_of(session.items)):
            tiers.obstacle(tier)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    tiers.require_tiers_of(item)
