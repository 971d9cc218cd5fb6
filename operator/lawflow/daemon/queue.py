"""Keys of objects to look at: each once, never two at a time, again later where looking failed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

Key = tuple[str, str, str]
"""Kind, namespace ("" for cluster scope) and name."""

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Queue:
    """A level-triggered work queue: many changes of one object before its turn are one piece of work."""

    def __init__(self, longest_pause: float = LONGEST_PAUSE_SECONDS) -> None:
        """``longest_pause`` is that between two looks that fail, in seconds."""
        self._longest_pause = longest_pause
        self._order: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._active: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._pauses: dict[Key, asyncio.TimerHandle] = {}

    def add(self, *keys: Key) -> None:
        """Have these looked at; one that is being looked at is looked at once more afterwards."""
        for key in keys:
            if key not in self._waiting:
                self._waiting.add(key)
                if key not in self._active:
                    self._order.put_nowait(key)

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting, being looked at, or paused after a failure."""
        return not (self._waiting or self._active or self._pauses)

    async def work(self, look: Callable[[Key], Awaitable[None]], workers: int) -> None:
        """Look at keys for ever, ``workers`` at a time. An exception of ``look`` is logged and tried again later."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._worker(look))
        finally:
            for pause in self._pauses.values():
                pause.cancel()

    async def _worker(self, look: Callable[[Key], Awaitable[None]]) -> None:
        while True:
            key = await self._order.get()
            self._waiting.discard(key)
            self._active.add(key)
            try:
                await look(key)
                self._failures.pop(key, None)
            except Exception as error:
                self._pause(key, error)
            finally:
                self._active.discard(key)
                if key in self._waiting:
                    self._order.put_nowait(key)

    def _pause(self, key: Key, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16), self._longest_pause)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311  (jitter, no secret)
        kind, namespace, name = key
        where = f"{namespace}/{name}" if namespace else name
        _log.warning("%s %s: %s: %s; again in %.1f s", kind, where, type(error).__name__, error, pause)
        if key not in self._pauses:
            self._pauses[key] = asyncio.get_running_loop().call_later(pause, self._resume, key)

    def _resume(self, key: Key) -> None:
        del self._pauses[key]
        self.add(key)
