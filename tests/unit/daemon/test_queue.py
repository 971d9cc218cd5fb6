"""The queue looks at each key as often as needed and as seldom as possible, and never twice at once."""

import asyncio
from collections import Counter

import pytest
from tests.support.controlling import until

from lawflow.daemon.queue import Key, Queue

pytestmark = pytest.mark.unit

ORDERS: Key = ("DataFlow", "shop", "orders")
BILLING: Key = ("DataFlow", "shop", "billing")


async def drained(queue: Queue) -> None:
    async def idle() -> bool:
        return queue.idle

    await until(idle, "an idle queue")


async def test_many_changes_before_its_turn_are_one_look() -> None:
    looks: Counter[Key] = Counter()

    async def look(key: Key) -> None:
        looks[key] += 1

    queue = Queue()
    queue.add(ORDERS, BILLING, ORDERS, ORDERS)
    task = asyncio.create_task(queue.work(look, 2))
    await drained(queue)
    task.cancel()
    assert looks == {ORDERS: 1, BILLING: 1}


async def test_a_change_during_a_look_brings_another_afterwards_and_never_beside_it() -> None:
    started, finish = asyncio.Event(), asyncio.Event()
    at_once, most, looks = 0, 0, 0

    async def look(_key: Key) -> None:
        nonlocal at_once, most, looks
        at_once, looks = at_once + 1, looks + 1
        most = max(most, at_once)
        started.set()
        await finish.wait()
        at_once -= 1

    queue = Queue()
    queue.add(ORDERS)
    task = asyncio.create_task(queue.work(look, 4))
    await started.wait()
    queue.add(ORDERS)
    queue.add(ORDERS)
    finish.set()
    await drained(queue)
    task.cancel()
    assert (looks, most) == (2, 1)


async def test_a_failed_look_is_tried_again_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lawflow.daemon.queue.FIRST_PAUSE_SECONDS", 0.01)
    looks: Counter[Key] = Counter()

    async def look(key: Key) -> None:
        looks[key] += 1
        if key == ORDERS and looks[key] < 3:
            raise RuntimeError("not yet")

    queue = Queue()
    queue.add(ORDERS, BILLING)
    task = asyncio.create_task(queue.work(look, 1))
    await drained(queue)
    task.cancel()
    assert looks == {ORDERS: 3, BILLING: 1}
