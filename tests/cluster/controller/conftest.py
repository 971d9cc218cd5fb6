"""A controller in the test's own event loop, over the real API server, with a clock that the test sets."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.cluster import Cluster
from tests.support.controlling import Clock, running

from lawflow.controller.engine import Controller
from lawflow.controller.settings import Settings
from lawflow.law.example import EXAMPLE_DAY
from lawflow.model.kinds import DATA_CONTROLLER
from lawflow.store.protocol import Store


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at noon of the day on which the law's examples are judged."""
    return Clock(dt.datetime.combine(EXAMPLE_DAY, dt.time(12), dt.UTC))


@pytest.fixture
def settings(namespace: str) -> Settings:
    """Settings with Lawflow's own objects in the test's namespace, and certificates in Secrets."""
    return Settings(namespace=namespace, delivery="secret", tick=dt.timedelta(milliseconds=50))


@pytest.fixture
async def controller(store: Store, settings: Settings, clock: Clock) -> AsyncIterator[Controller]:
    """A running controller."""
    async with running(store, settings, clock) as started:
        yield started


@pytest.fixture
async def acme(store: Store, namespace: str) -> AsyncIterator[str]:
    """Name of a DataController of this test's own, which the test makes if it wants it."""
    yield f"acme-{namespace}"
    await store.delete(DATA_CONTROLLER, "", f"acme-{namespace}")


@pytest.fixture
def other_namespace(control_plane: Cluster) -> Iterator[str]:
    """A second namespace."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")
