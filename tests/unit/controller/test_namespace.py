"""What the controller keeps in one namespace, over a folder."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from tests.support import merchant
from tests.support.controlling import Clock, until_idle

from lawflow.controller import namespace
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.daemon.queue import Key
from lawflow.model import labels
from lawflow.model.kinds import DATA_FLOW, DEPLOYMENT, NAMESPACE
from lawflow.store.folder import FolderStore
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

SHOP: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


@pytest.fixture
async def environment(tmp_path: Path) -> Environment:
    made = Environment(FolderStore(tmp_path), World(), Settings(), Clock(dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)))
    made.world.observe(NAMESPACE, await made.store.create(NAMESPACE, SHOP))
    made.world.observe(DATA_FLOW, await made.store.create(DATA_FLOW, merchant.flow("shop")))
    await namespace.reconcile(made, "", "shop")
    return made


def counted(environment: Environment) -> bool:
    return "lawflow_flows{" in generate_latest(environment.metrics.registry).decode()


async def looked_at(environment: Environment) -> set[Key]:
    """Keys that wait to be looked at; they wait no more."""
    seen: set[Key] = set()

    async def look(key: Key) -> None:
        seen.add(key)

    work = asyncio.create_task(environment.queue.work(look, 1))
    await until_idle(environment.queue)
    work.cancel()
    return seen


async def test_flows_are_counted_for_as_long_as_their_namespace_exists(environment: Environment) -> None:
    assert counted(environment)
    environment.world.observe(NAMESPACE, SHOP, deleted=True)
    await namespace.reconcile(environment, "", "shop")
    assert not counted(environment)


async def test_a_namespace_without_flows_that_has_not_opted_in_is_counted_no_more(environment: Environment) -> None:
    assert counted(environment)
    environment.world.observe(DATA_FLOW, merchant.flow("shop"), deleted=True)
    await namespace.reconcile(environment, "", "shop")
    assert not counted(environment)


async def test_a_grant_has_its_flows_looked_at_though_the_index_is_this_processs_own_write(
    environment: Environment,
) -> None:
    workload = merchant.deployment("shop")
    workload["metadata"]["annotations"] = {labels.BREAK_GLASS: "ward 3 is down"}
    environment.world.observe(DEPLOYMENT, workload)
    await looked_at(environment)
    await namespace.reconcile(environment, "", "shop")
    assert (DATA_FLOW.name, "shop", "orders-to-psp") in await looked_at(environment)
