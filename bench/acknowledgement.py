"""From an applied DataFlow to a configuration that Envoy has taken, at both ends, at 10 and at 1,000 flows.

The controller and the configuration server are processes over a real API server; both sidecars are real Envoys. A
sample ends when the configuration of both says that the flow is open: a resource that Envoy rejects never appears
there, and it acknowledges in the same moment. The sidecars are asked every 10 ms. Prints one JSON line.
"""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cluster import Verdicts, create_flows, followed_verdicts, prepared_cluster, quiet
from bench.mesh import NAMESPACES, SOURCE, Mesh, flow, other_flows, running_mesh
from tests.support.cluster import Cluster

from lawflow.model.kinds import DATA_FLOW
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Store

SIZES = (10, 1_000)
SAMPLES = 15


def main() -> None:
    """Measure and print."""
    with prepared_cluster(*NAMESPACES) as cluster, tempfile.TemporaryDirectory(prefix="lawflow-bench-") as directory:
        print(json.dumps({"benchmark": "acknowledgement", **asyncio.run(_measure(cluster, Path(directory)))}))


async def _measure(cluster: Cluster, directory: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with (
        await KubernetesStore.connect(cluster.admin.kubeconfig) as store,
        followed_verdicts(store) as verdicts,
        running_mesh(cluster, store, verdicts, directory) as mesh,
    ):
        there = 1
        for size in SIZES:
            flows = other_flows(range(there, size))
            await create_flows(store, flows)
            await verdicts.of_all(flows)
            there = size
            await quiet(mesh.controller, mesh.server)
            figures[f"at_{size}_flows"] = await _samples(store, verdicts, mesh, size)
    return figures


async def _samples(store: Store, verdicts: Verdicts, mesh: Mesh, size: int) -> dict[str, float]:
    lawful, acknowledged = [], []
    for number in range(SAMPLES):
        name = f"one-more-{size}-{number:02}"
        began = time.monotonic()
        await store.create(DATA_FLOW, flow(name, f"/{name}"))
        await mesh.opened(name)
        acknowledged.append(time.monotonic() - began)
        lawful.append(await verdicts.of(SOURCE.namespace, name) - began)
        await store.delete(DATA_FLOW, SOURCE.namespace, name)
        await mesh.forgotten(name)
    return {
        "seconds_to_lawful_median": round(statistics.median(lawful), 3),
        "seconds_to_lawful_worst": round(max(lawful), 3),
        "seconds_to_acknowledged_median": round(statistics.median(acknowledged), 3),
        "seconds_to_acknowledged_worst": round(max(acknowledged), 3),
    }


if __name__ == "__main__":
    main()
