"""The authority's own duty, as often as it is looked at."""

import datetime as dt
from pathlib import Path

import pytest
from tests.support import merchant

from lawflow.controller import authority
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.daemon.queue import Key
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.folder import FolderStore

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


async def test_flows_are_looked_at_when_there_is_an_authority_and_not_each_time_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(FolderStore(tmp_path), World(), Settings(delivery="secret"), lambda: NOW)
    environment.world.observe(DATA_FLOW, merchant.flow("shop"))
    woken: list[Key] = []
    monkeypatch.setattr(environment.queue, "add", lambda *keys: woken.extend(keys))
    await authority.reconcile(environment, "", "")
    assert ("DataFlow", "shop", "orders-to-psp") in woken
    woken.clear()
    await authority.reconcile(environment, "", "")
    assert woken == []
