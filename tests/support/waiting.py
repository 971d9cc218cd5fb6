"""Waiting for what other processes do: by looking again until a deadline, never by sleeping and hoping."""

import time
from collections.abc import Callable
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
            if seen := look():
                return seen
            last = seen
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"expected within {seconds:.0f} s, and never seen: {expected}; the last look: {last}")
        time.sleep(SECONDS_BETWEEN_LOOKS)
