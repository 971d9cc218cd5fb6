"""From an applied DataFlow to its verdict: seconds until Lawful on a real API server, at 10 and at 1,000 flows.

The controller runs as its users run it, as a process with Kopf's watches and 8 workers; the flows lie in two
namespaces, 500 being the bound of one. Measured are the time for one more flow when so many are there, the time for
all of them at once, and the memory of the process. Prints one JSON line.
"""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.cluster.conftest import CRDS
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.control_plane import open_cluster
from tests.support.controller_process import ControllerProcess
from tests.support.waiting import eventually

from lawflow.controller.conditions import condition
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.kubernetes import KubernetesStore

SIZES = (10, 1_000)
SAMPLES = 20
OPTIONS = ("--today=2026-07-01", "--delivery=secret", "--lease-seconds=15")
WRITERS = 16


def main() -> None:
    """Measure and print."""
    cluster = open_cluster()
    try:
        cluster.kubectl("apply", "--server-side", *(f"--filename={file}" for file in sorted(CRDS.glob("*.yaml"))))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        cluster.apply(merchant.data_controller())
        figures: dict[str, Any] = {"benchmark": "propagation"}
        for size in SIZES:
            figures |= {f"{name}_at_{size}_flows": value for name, value in _measure(cluster, size).items()}
        print(json.dumps(figures))
    finally:
        cluster.close()


def _measure(cluster: Cluster, size: int) -> dict[str, float]:
    namespaces = [f"bench-{size}-{number}" for number in range(2)]
    for namespace in namespaces:
        cluster.kubectl("create", "namespace", namespace)
        cluster.apply(merchant.dataset(namespace))
    with (
        tempfile.TemporaryDirectory() as directory,
        ControllerProcess(cluster, Path(directory), namespaces[0], *OPTIONS) as controller,
    ):
        eventually(controller.leads, "the controller leads")
        result = asyncio.run(_flows(cluster, namespaces, size))
        status = Path(f"/proc/{controller.process.pid}/status").read_text(encoding="utf-8")
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        result["controller_resident_mib"] = round(int(resident.split()[1]) / 1024, 1)
    for namespace in namespaces:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    return result


async def _flows(cluster: Cluster, namespaces: list[str], size: int) -> dict[str, float]:
    async with await KubernetesStore.connect(cluster.admin.kubeconfig) as store:
        lawful: dict[tuple[str, str], float] = {}
        news = asyncio.Condition()

        async def watch() -> None:
            async for event in store.watch(DATA_FLOW):
                flow = event.object
                if (
                    event.type in ("ADDED", "MODIFIED")
                    and condition(flow.get("status"), "Lawful").get("status") == "True"
                ):
                    async with news:
                        lawful.setdefault((flow["metadata"]["namespace"], flow["metadata"]["name"]), time.monotonic())
                        news.notify_all()

        watching = asyncio.create_task(watch())
        began = time.monotonic()
        places = asyncio.Semaphore(WRITERS)

        async def create(number: int) -> None:
            async with places:
                namespace = namespaces[number % len(namespaces)]
                account = {"serviceAccountName": f"app-{number % 50}", "datasetRefs": [{"name": "orders-db"}]}
                await store.create(DATA_FLOW, merchant.flow(namespace, f"flow-{number}", source=account))

        await asyncio.gather(*(create(number) for number in range(size)))
        written = time.monotonic() - began
        async with news:
            await asyncio.wait_for(news.wait_for(lambda: len(lawful) >= size), 600)
        all_at_once = time.monotonic() - began
        samples = []
        for number in range(SAMPLES):
            name = f"one-more-{number}"
            applied = time.monotonic()
            await store.create(DATA_FLOW, merchant.flow(namespaces[0], name))
            async with news:
                key = namespaces[0], name
                await asyncio.wait_for(news.wait_for(lambda key=key: key in lawful), 120)  # type: ignore[misc]
            samples.append(lawful[namespaces[0], name] - applied)
            await store.delete(DATA_FLOW, *key)
        watching.cancel()
        samples.sort()
        return {
            "seconds_to_lawful_median": round(statistics.median(samples), 3),
            "seconds_to_lawful_worst": round(samples[-1], 3),
            "seconds_to_write_all": round(written, 2),
            "seconds_until_all_lawful": round(all_at_once, 2),
        }


if __name__ == "__main__":
    main()
