"""Rotation under load: a new certificate every 5 s for 60 s, and the time from a change to its acknowledgement.

``python -m bench.rotation [SECONDS]`` prints JSON and exits 1 if a request failed.
"""

import asyncio
import datetime as dt
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.shop import PORT, Shop, running_shop

from lawflow.mesh.sidecar import Identity
from lawflow.standalone.traffic import constant_load

SECONDS = 60.0
LIFE = dt.timedelta(seconds=12)
"""Renewed at 45 to 55 % of it, of which a tenth lies in the past: every 4.2 to 5.4 s."""
CHANGES = 20


async def rotation(seconds: float) -> dict[str, Any]:
    """Rotate under constant load for ``seconds``."""
    with tempfile.TemporaryDirectory(prefix="lawflow-bench-") as directory:
        async with running_shop(Path(directory) / "shop", LIFE) as shop:
            before = shop.heard.count("rotated")
            began = time.monotonic()
            async with constant_load(shop.billing_from_orders, PORT, "/invoices/17") as load:
                await asyncio.sleep(seconds)
            elapsed = time.monotonic() - began
            changes = [await change_to_acknowledgement(shop) for _ in range(CHANGES)]
            return {
                "seconds": round(elapsed, 1),
                "requests": load.requests,
                "requestsPerSecond": round(load.requests / elapsed),
                "failed": len(load.failures),
                "failures": load.failures[:5],
                "rotations": shop.heard.count("rotated") - before,
                "sidecars": len(shop.running.sidecars.running),
                "changeToAcknowledgementMilliseconds": {
                    "median": round(statistics.median(changes)),
                    "maximum": round(max(changes)),
                    "changes": len(changes),
                },
            }


async def change_to_acknowledgement(shop: Shop) -> float:
    """Milliseconds from an edit of the manifest until the sidecar of orders has taken what follows from it."""
    service, identity = shop.running.service, Identity("shop", "orders")

    def taken() -> int:
        return sum(each.accepted for each in service.connections() if each.identity == identity)

    text = shop.file.read_text()
    one, other = "path: /invoices/{invoice}", "path: /receipts/{invoice}"
    before, began = taken(), time.monotonic()
    shop.file.write_text(text.replace(one, other) if one in text else text.replace(other, one))
    while taken() == before:
        await service.answer().wait()
    elapsed = (time.monotonic() - began) * 1000
    # What is still under way (the verdict's own push) must not count for the next change.
    while True:
        try:
            async with asyncio.timeout(1):
                await service.answer().wait()
        except TimeoutError:
            return elapsed


def main() -> int:
    """Print the figures; the exit code."""
    seen = asyncio.run(rotation(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
    print(json.dumps(seen))
    return 1 if seen["failed"] or not seen["rotations"] else 0


if __name__ == "__main__":
    sys.exit(main())
