"""The controller against a real API server: verdicts, the gate's index, and what it does when things come and go."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.controlling import Clock, flow_is, running

from lawflow.controller.conditions import condition
from lawflow.controller.engine import Controller
from lawflow.controller.settings import Settings
from lawflow.law.example import EXAMPLE_DAY
from lawflow.model.kinds import DATA_CONTROLLER, DATA_FLOW, DATASET
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Store

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]


@pytest.fixture
async def store(control_plane: Cluster) -> AsyncIterator[Store]:
    async with await KubernetesStore.connect(control_plane.admin.kubeconfig) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock(dt.datetime.combine(EXAMPLE_DAY, dt.time(12), dt.UTC))


@pytest.fixture
def settings(namespace: str) -> Settings:
    return Settings(namespace=namespace, delivery="secret", tick=dt.timedelta(milliseconds=50))


@pytest.fixture
async def controller(store: Store, settings: Settings, clock: Clock) -> AsyncIterator[Controller]:
    async with running(store, settings, clock) as started:
        yield started


@pytest.fixture
async def acme(store: Store, namespace: str) -> AsyncIterator[str]:
    """Name of a DataController of this test's own."""
    yield f"acme-{namespace}"
    await store.delete(DATA_CONTROLLER, "", f"acme-{namespace}")


async def lawful_flow(store: Store, namespace: str, acme: str) -> None:
    await store.create(DATA_CONTROLLER, merchant.data_controller(acme))
    await store.create(DATASET, merchant.dataset(namespace, acme))
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme))


@pytest.mark.usefixtures("controller")
async def test_a_lawful_flow_is_ready_as_soon_as_its_certificate_is(store: Store, namespace: str, acme: str) -> None:
    await lawful_flow(store, namespace, acme)
    status = await flow_is(store, namespace, "orders-to-psp", "Ready", "True")
    assert condition(status, "Lawful")["status"] == "True"
    assert condition(status, "CredentialsReady")["reason"] == "Delivered"
    assert condition(status, "Enforced") | {"status": "Unknown", "reason": "NoWorkload"} == condition(
        status, "Enforced"
    )
    assert status["basis"] == "A6-1-b"
    assert status["peers"] == "orders → api.psp.example"
    assert status["firstLawfulAt"] == "2026-07-01T12:00:00Z"
    assert condition(status, "Stalled") == {}
