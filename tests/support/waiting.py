"""Waiting for what other processes do: by looking again until a deadline, never by sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

SECONDS_BETWEEN_LOOKS = 0.05


def eventually(look: Callable[[], Seen | None], expected: str, seconds: float = 30.0) -> Seen:
    """The first truthy thing that ``look`` returns; a look that raises AssertionError is repeated like an empty one.

    Raises AssertionError after ``seconds``, with ``expected`` and what the last look gave.
    """
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            if found := look():
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"expected within {seconds:.0f} s, and never seen: {expected}; the last look: {last}")
        time.sleep(SECONDS_BETWEEN_LOOKS)


async def seen(look: Callable[[], Awaitable[Seen | None]], expected: str, seconds: float = 30.0) -> Seen:
    """The same for a look that waits for others itself, beside what else goes on in this process."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                if found := await look():
                    return found
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    except TimeoutError:
        raise AssertionError(f"expected within {seconds:.0f} s, and never seen: {expected}") from None
