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

from bench.cluster import OPTIONS, create_flows, followed_verdicts, memory, prepared_cluster
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.server_process import ControllerProcess
from tests.support.waiting import eventually

from lawflow.model.kinds import DATA_FLOW
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Object

SIZES = (10, 1_000)
SAMPLES = 20


def main() -> None:
    """Measure and print."""
    figures: dict[str, Any] = {"benchmark": "propagation"}
    namespaces = {size: [f"bench-{size}-{number}" for number in range(2)] for size in SIZES}
    with prepared_cluster(*(name for names in namespaces.values() for name in names)) as cluster:
        for size in SIZES:
            found = _measure(cluster, namespaces[size], size)
            figures |= {f"{name}_at_{size}_flows": value for name, value in found.items()}
    print(json.dumps(figures))


def _measure(cluster: Cluster, namespaces: list[str], size: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory() as directory,
        ControllerProcess(cluster, Path(directory), namespaces[0], *OPTIONS) as controller,
    ):
        eventually(controller.leads, "the controller leads")
        result = asyncio.run(_flows(cluster, namespaces, size))
        result["controller_resident_mib"] = memory(controller.process.pid)["resident_mebibytes"]
    for namespace in namespaces:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    return result


async def _flows(cluster: Cluster, namespaces: list[str], size: int) -> dict[str, float]:
    async with await KubernetesStore.connect(cluster.admin.kubeconfig) as store, followed_verdicts(store) as verdicts:
        flows = [_flow(namespaces, number) for number in range(size)]
        began = time.monotonic()
        await create_flows(store, flows)
        written = time.monotonic() - began
        all_at_once = await verdicts.of_all(flows) - began
        samples = []
        for number in range(SAMPLES):
            name = f"one-more-{number}"
            applied = time.monotonic()
            await store.create(DATA_FLOW, merchant.flow(namespaces[0], name))
            samples.append(await verdicts.of(namespaces[0], name) - applied)
            await store.delete(DATA_FLOW, namespaces[0], name)
        return {
            "seconds_to_lawful_median": round(statistics.median(samples), 3),
            "seconds_to_lawful_worst": round(max(samples), 3),
            "seconds_to_write_all": round(written, 2),
            "seconds_until_all_lawful": round(all_at_once, 2),
        }


def _flow(namespaces: list[str], number: int) -> Object:
    account = {"serviceAccountName": f"app-{number % 50}", "datasetRefs": [{"name": "orders-db"}]}
    return merchant.flow(namespaces[number % len(namespaces)], f"flow-{number}", source=account)


if __name__ == "__main__":
    main()
