"""Waiting for what other processes do: by looking again until a deadline, never by sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

SECONDS = 90.0
"""Patience, and no promise: a busy machine takes half a minute to start a process that computes for two seconds."""
SECONDS_BETWEEN_LOOKS = 0.05
"""At first; what takes long is looked at less often, since looks cost: up to a tenth of what was waited later."""
MOST_SECONDS_BETWEEN_LOOKS = 0.5


def eventually(look: Callable[[], Seen | None], expected: str, seconds: float = SECONDS) -> Seen:
    """The first truthy thing that ``look`` returns; a look that raises AssertionError is repeated like an empty one.

    Raises AssertionError after ``seconds``, with ``expected`` and what the last look gave.
    """
    began = time.monotonic()
    while True:
        last: object
        try:
            if found := look():
                return found
            last = found
        except AssertionError as error:
            last = error
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"expected within {seconds:.0f} s, and never seen: {expected}; the last look: {last}")
        time.sleep(_pause(waited))


async def seen(look: Callable[[], Awaitable[Seen | None]], expected: str, seconds: float = SECONDS) -> Seen:
    """The same for a look that waits for others itself, beside what else goes on in this process."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            while True:
                if found := await look():
                    return found
                await asyncio.sleep(_pause(time.monotonic() - began))
    except TimeoutError:
        raise AssertionError(f"expected within {seconds:.0f} s, and never seen: {expected}") from None


def _pause(waited: float) -> float:
    return min(max(SECONDS_BETWEEN_LOOKS, waited / 10), MOST_SECONDS_BETWEEN_LOOKS)
