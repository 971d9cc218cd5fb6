"""Ten minutes of load on the whole data path while everything about it changes: nothing declared may fail.

Two sidecars filter a POST of 1 KB on its way out and the answer on its way back, over four connections. Meanwhile
certificates are replaced every 7 s, the flow gets another policy every 3 s, and its configuration server is killed and
comes back with a memory of nothing every 30 s. Every answer is compared to what the declared fields make of it. Memory
is what the Envoys hold resident, a minute after the start and at the end.

``python -m bench.endurance [SECONDS]`` prints JSON and exits 1 if a request failed or memory grew by more than a tenth.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cluster import memory
from tests.support.sidecars import Mesh, flow, mesh
from tests.support.waiting import seen as seen_once

from lawflow.identity.pem import certificates_to_pem, private_key_to_pem
from lawflow.mesh.sidecar import Identity
from lawflow.standalone.sidecars import RunningSidecar
from lawflow.standalone.traffic import Client, invoice_app

SECONDS = 600.0
WARM_UP_SECONDS = 60.0
GROWTH = 1.1
CONNECTIONS = 4
JSON = {"content-type": "application/json"}
ORDER = json.dumps(
    {"order": "17", "lines": [{"sku": f"sku-{number}", "note": "x" * 40} for number in range(12)], "name": "Jane Doe"}
).encode()
RECEIVED = json.dumps(
    {"order": "17", "lines": [{"sku": f"sku-{number}"} for number in range(12)]}, separators=(",", ":")
)


def declared(more: bool) -> dict[str, Any]:
    """The flow; ``more`` declares a field that no body has, so that the policy is another and its effect the same."""
    found = flow("orders", "billing", "/invoices")
    pointers = ["/order", "/lines/*/sku", *(["/absent"] if more else [])]
    found["spec"]["operations"] = [
        {
            "name": "create",
            "methods": ["POST"],
            "path": "/invoices",
            "request": {"fields": [{"pointer": pointer, "category": "none"} for pointer in pointers]},
            "response": {"fields": [{"pointer": "/received", "category": "none"}]},
        }
    ]
    return found


@dataclass
class Seen:
    """What became of the requests, and how often things changed."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    policies: int = 0
    certificates: int = 0
    restarts: int = 0


async def endure(seconds: float) -> dict[str, Any]:
    """Load and change for ``seconds``; returns the figures."""
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="lawflow-bench-") as directory:
        async with invoice_app() as app, mesh(Path(directory)) as net:
            net.put(declared(False))
            net.local_port("billing", app)
            sidecars = [await net.sidecar("orders"), await net.sidecar("billing")]
            for sidecar in sidecars:
                await sidecar.ready.wait()
            async with _load(net, seen), _changes(net, app, sidecars, seen):
                warm_up = min(WARM_UP_SECONDS, seconds / 2)
                await asyncio.sleep(warm_up)
                before = [memory(sidecar.process.pid) for sidecar in sidecars]
                await asyncio.sleep(seconds - warm_up)
                after = [memory(sidecar.process.pid) for sidecar in sidecars]
    return {
        "seconds": seconds,
        "requests": seen.requests,
        "failed": len(seen.failures),
        "failures": seen.failures[:5],
        "policyPushes": seen.policies,
        "certificates": seen.certificates,
        "serverRestarts": seen.restarts,
        "residentMebibytes": {
            sidecar.identity.service_account: {"warm": one["resident_mebibytes"], "end": other["resident_mebibytes"]}
            for sidecar, one, other in zip(sidecars, before, after, strict=True)
        },
    }


@contextlib.asynccontextmanager
async def _load(net: Mesh, seen: Seen) -> AsyncIterator[None]:
    async def work() -> None:
        client = Client(net.outbound("orders", "billing"), 8080)
        try:
            while True:
                try:
                    response = await client.request("POST", "/invoices", JSON, ORDER)
                    failure = "" if response.document == {"received": RECEIVED} else f"{response.status}"
                except (OSError, EOFError) as error:
                    failure = type(error).__name__
                    await client.close()
                seen.requests += 1
                if failure:
                    seen.failures.append(f"{failure} after {seen.requests} requests")
        finally:
            await client.close()

    first = Client(net.outbound("orders", "billing"), 8080)

    async def up() -> bool | None:
        return (await first.request("POST", "/invoices", JSON, ORDER)).status == 200 or None

    await seen_once(up, "a first answer")
    await first.close()
    async with _until_left(*(work for _ in range(CONNECTIONS))):
        yield


@contextlib.asynccontextmanager
async def _changes(net: Mesh, app: int, sidecars: list[RunningSidecar], seen: Seen) -> AsyncIterator[None]:
    async def policies() -> None:
        while True:
            await asyncio.sleep(3)
            seen.policies += 1
            net.put(declared(seen.policies % 2 == 1))

    async def certificates() -> None:
        while True:
            await asyncio.sleep(7)
            for sidecar in sidecars:
                await net.sidecars.deliver(sidecar.identity, _certificate(net, sidecar.identity))
            seen.certificates += len(sidecars)

    async def restarts() -> None:
        while True:
            await asyncio.sleep(30)
            await net.end_server()
            await asyncio.sleep(2)
            await net.serve()
            net.local_port("billing", app)
            seen.restarts += 1

    async with _until_left(policies, certificates, restarts):
        yield


def _certificate(net: Mesh, identity: Identity) -> dict[str, str]:
    credential = net.credential(identity.namespace, identity.service_account)
    return {
        "tls.key": private_key_to_pem(credential.key),
        "tls.crt": certificates_to_pem(credential.chain),
        "ca.crt": net.bundle.to_pem(),
    }


@contextlib.asynccontextmanager
async def _until_left(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def main() -> int:
    """Print the figures; the exit code."""
    began = time.monotonic()
    figures = asyncio.run(endure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
    figures["requestsPerSecond"] = round(figures["requests"] / (time.monotonic() - began))
    print(json.dumps({"benchmark": "endurance", **figures}))
    grown = any(each["end"] > each["warm"] * GROWTH for each in figures["residentMebibytes"].values())
    return 1 if figures["failed"] or grown else 0


if __name__ == "__main__":
    sys.exit(main())
