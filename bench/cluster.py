"""What the benchmarks on a real API server share: flows by the hundred, when each became lawful, and processes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from tests.cluster.conftest import CRDS
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.control_plane import open_cluster
from tests.support.review_client import cpu_seconds

from lawflow.controller.conditions import condition
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.protocol import Object, Store

OPTIONS = ("--today=2026-07-01", "--delivery=secret", "--lease-seconds=15")
"""Options of the controller: a day on which the flows are lawful, and certificates without a kubelet."""
WRITERS = 16
SECONDS = 120.0
QUIET_SECONDS = 1.0
QUIET_SHARE = 0.05
"""A process is quiet when it takes less than this share of a core."""


@contextlib.contextmanager
def prepared_cluster(*namespaces: str) -> Iterator[Cluster]:
    """A control plane with our kinds, a DataController, and namespaces that hold a Dataset."""
    cluster = open_cluster()
    try:
        cluster.kubectl("apply", "--server-side", *(f"--filename={file}" for file in sorted(CRDS.glob("*.yaml"))))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        cluster.apply(merchant.data_controller())
        for namespace in namespaces:
            cluster.kubectl("create", "namespace", namespace)
            cluster.apply(merchant.dataset(namespace))
        yield cluster
    finally:
        cluster.close()


class Verdicts:
    """When each flow was first seen to be lawful, on the clock of ``time.monotonic``."""

    def __init__(self) -> None:
        self.lawful: dict[tuple[str, str], float] = {}
        self._news = asyncio.Condition()

    async def follow(self, store: Store) -> None:
        """Watch for ever."""
        async for event in store.watch(DATA_FLOW):
            flow = event.object
            if event.type not in ("ADDED", "MODIFIED"):
                continue
            if condition(flow.get("status"), "Lawful").get("status") == "True":
                async with self._news:
                    self.lawful.setdefault((flow["metadata"]["namespace"], flow["metadata"]["name"]), time.monotonic())
                    self._news.notify_all()

    async def of(self, namespace: str, name: str) -> float:
        """Wait for the verdict on one flow; the moment of it. Raises TimeoutError."""
        key = namespace, name
        async with self._news:
            async with asyncio.timeout(SECONDS):
                await self._news.wait_for(lambda: key in self.lawful)
        return self.lawful[key]

    async def of_all(self, flows: Iterable[Object]) -> float:
        """Wait for the verdicts on all these flows; the moment of the last. Raises TimeoutError."""
        names = [(flow["metadata"]["namespace"], flow["metadata"]["name"]) for flow in flows]
        return max([await self.of(*name) for name in names], default=time.monotonic())


@contextlib.asynccontextmanager
async def followed_verdicts(store: Store) -> AsyncIterator[Verdicts]:
    """The verdicts as they come, until the block ends."""
    found = Verdicts()
    following = asyncio.create_task(found.follow(store))
    try:
        yield found
    finally:
        following.cancel()


async def create_flows(store: Store, flows: Iterable[Object]) -> None:
    """Create the flows, some at a time."""
    waiting = iter(flows)

    async def write() -> None:
        for flow in waiting:
            await store.create(DATA_FLOW, flow)

    await asyncio.gather(*(write() for _ in range(WRITERS)))


async def quiet(*pids: int) -> None:
    """Return once the processes have nothing left to do. Raises TimeoutError."""
    async with asyncio.timeout(SECONDS):
        busy = True
        while busy:
            before = [cpu_seconds(pid) for pid in pids]
            await asyncio.sleep(QUIET_SECONDS)
            spent = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
            busy = max(spent) > QUIET_SHARE * QUIET_SECONDS


def memory(pid: int) -> dict[str, float]:
    """Memory of a process in MiB: resident, and its proportional share of the pages that it shares with others."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    kibibytes = {line.split()[0]: int(line.split()[1]) for line in rollup if line.endswith("kB")}
    return {
        "resident_mebibytes": round(kibibytes["Rss:"] / 1024, 1),
        "proportional_mebibytes": round(kibibytes["Pss:"] / 1024, 1),
    }
