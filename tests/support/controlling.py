"""The controller inside the test's own event loop, over any store, with a clock that the test sets."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from tests.support import merchant
from tests.support.waiting import SECONDS

from lawflow.controller.conditions import condition
from lawflow.controller.engine import Controller
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.daemon.queue import Queue
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import DATA_CONTROLLER, DATA_FLOW, DATASET, EVENT, FLOW_INDEX
from lawflow.store.protocol import Object, Store

Seen = TypeVar("Seen")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, period: dt.timedelta) -> None:
        """Let time pass."""
        self.now += period


@asynccontextmanager
async def running(store: Store, settings: Settings, clock: Callable[[], dt.datetime]) -> AsyncIterator[Controller]:
    """A controller that follows the store until the block ends; it is then cut off wherever it is."""
    controller = Controller(Environment(store, World(), settings, clock))
    await controller.resync()
    async with beside(controller.run(), controller.follow()):
        yield controller


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Endless work, beside the block; it is cut off at the end, and what it failed with is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(look: Callable[[], Awaitable[Seen | None]], expected: str, seconds: float = SECONDS) -> Seen:
    """The first truthy thing that ``look`` returns. Raises AssertionError, naming ``expected``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"expected within {seconds:.0f} s, and never seen: {expected}; last look: {seen!r}")
        await asyncio.sleep(0.02)


async def lawful_flow(store: Store, namespace: str, acme: str, **spec: Any) -> None:
    """Create a flow and what makes it lawful; ``acme`` names its DataController, ``spec`` replaces parts of it."""
    await store.create(DATA_CONTROLLER, merchant.data_controller(acme))
    await store.create(DATASET, merchant.dataset(namespace, acme))
    await store.create(DATA_FLOW, merchant.flow(namespace, controller=acme, **spec))


async def flow_is(store: Store, namespace: str, name: str, type_: str, status: str, reason: str = "") -> Object:
    """Wait for a condition of a flow that speaks of its current generation; returns the flow's status."""
    last: Object = {}

    async def look() -> Object | None:
        nonlocal last
        flow = await store.get(DATA_FLOW, namespace, name)
        last = (flow or {}).get("status") or {}
        found = condition(last, type_)
        current = flow and found.get("observedGeneration") == flow["metadata"].get("generation", 0)
        right = found.get("status") == status and (not reason or found.get("reason") == reason)
        return last if current and right else None

    try:
        return await until(look, f"{name} has {type_}={status} {reason}")
    except AssertionError as error:
        raise AssertionError(f"{error}; its status is {last}") from None


async def index_of(store: Store, namespace: str, expected: Callable[[Object], bool]) -> Object:
    """Wait until a namespace's FlowIndex is as expected; returns its spec."""

    async def look() -> Object | None:
        found = await store.get(FLOW_INDEX, namespace, INDEX_NAME)
        return found["spec"] if found and expected(found["spec"]) else None

    return await until(look, f"an index of {namespace} as expected")


async def events_about(store: Store, namespace: str, name: str, reason: str) -> list[Object]:
    """Wait for events about an object with a reason; returns all that there are."""

    async def look() -> list[Object]:
        return [
            event
            for event in await store.list(EVENT, namespace)
            if event["involvedObject"]["name"] == name and event["reason"] == reason
        ]

    return await until(look, f"an event {reason} about {name}")


async def until_idle(queue: Queue) -> None:
    """Wait until a controller has nothing left to look at."""

    async def look() -> bool:
        return queue.idle

    await until(look, "an idle controller")
