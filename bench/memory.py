"""Memory of each process with 1,000 flows, once nothing is left to do: Lawflow's own, the API server for comparison.

The controller, the configuration server with its standby, and the admission server run on one real API server from
before the flows are made, as they would in service; the sidecars are Envoys that hold their configuration and serve no
request. Two figures each: what is resident, and the proportional share, which counts a page that is shared by n
processes as an n-th. Prints one JSON line.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from bench.cluster import create_flows, followed_verdicts, memory, prepared_cluster, quiet
from bench.mesh import NAMESPACES, other_flows, running_mesh
from tests.support.cluster import Cluster
from tests.support.control_plane import ControlPlane
from tests.support.gate import AdmissionServer

from lawflow.store.kubernetes import KubernetesStore

FLOWS = 1_000


def main() -> None:
    """Measure and print."""
    with prepared_cluster(*NAMESPACES) as cluster, tempfile.TemporaryDirectory(prefix="lawflow-bench-") as directory:
        webhook = AdmissionServer(cluster)
        try:
            webhook.start()
            assert webhook.process is not None
            figures = asyncio.run(_measure(cluster, Path(directory), webhook.process.pid))
        finally:
            webhook.close()
    print(json.dumps({"benchmark": "memory", "flows": FLOWS, **figures}))


async def _measure(cluster: Cluster, directory: Path, webhook: int) -> dict[str, Any]:
    async with (
        await KubernetesStore.connect(cluster.admin.kubeconfig) as store,
        followed_verdicts(store) as verdicts,
        running_mesh(cluster, store, verdicts, directory) as mesh,
    ):
        processes = {"controller": mesh.controller, "xds": mesh.server, "standby": mesh.standby, "webhook": webhook}
        processes |= {f"sidecar_of_{one.identity.service_account}": one.process.pid for one in mesh.sidecars}
        if isinstance(cluster, ControlPlane):
            processes |= {name.replace("-", "_"): cluster.pid(name) for name in ("kube-apiserver", "etcd")}
        figures = {"with_1_flow": _memory(processes)}
        flows = other_flows(range(1, FLOWS))
        await create_flows(store, flows)
        await verdicts.of_all(flows)
        await quiet(mesh.controller, mesh.server, mesh.standby, webhook)
        return figures | {f"with_{FLOWS}_flows": _memory(processes)}


def _memory(processes: dict[str, int]) -> dict[str, dict[str, float]]:
    return {name: memory(pid) for name, pid in processes.items()}


if __name__ == "__main__":
    main()
