"""Work that goes on until the process is asked to end."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def until_terminated(*works: Coroutine[Any, Any, None]) -> None:
    """Do all the work until SIGTERM comes or a part of it fails, whose error is raised."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tasks = [asyncio.create_task(work) for work in works]
    end = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, end], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        for task in (*tasks, end):
            task.cancel()
        await asyncio.gather(*tasks, end, return_exceptions=True)
