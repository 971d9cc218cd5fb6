"""One control plane for a run (one for each worker under xdist), and fresh namespaces and nodes on it."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support import kubelet
from tests.support.cluster import Cluster
from tests.support.control_plane import open_cluster

from lawflow.model.kinds import SERVICE_ACCOUNT
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Store

CRDS = Path(__file__).resolve().parents[2] / "crds"


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Cluster]:
    """A real API server with its controllers: our own, or the one that LAWFLOW_TEST_KUBECONFIG names."""
    cluster = open_cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def namespace(control_plane: Cluster) -> Iterator[str]:
    """The name of a new namespace that is ready for Pods; it is deleted afterwards, whatever is left in it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", name)
    control_plane.await_namespace(name)
    yield name
    control_plane.mend()
    control_plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
    # No kubelet confirms that Pods have ended, and the namespace would wait for that forever.
    control_plane.kubectl("delete", "pods", "--all", "-n", name, "--grace-period=0", "--force", "--wait=false")


@pytest.fixture
async def store(control_plane: Cluster) -> AsyncIterator[Store]:
    """The store of an administrator."""
    async with await KubernetesStore.connect(control_plane.admin.kubeconfig) as opened:
        yield opened


@pytest.fixture
async def service_account(store: Store, namespace: str) -> str:
    """The service account ``orders``."""
    metadata = {"namespace": namespace, "name": "orders"}
    await store.create(SERVICE_ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return "orders"


@pytest.fixture
def node(control_plane: Cluster) -> Iterator[kubelet.Node]:
    """A node that has joined the cluster, without a machine behind it."""
    joined = kubelet.join(control_plane, f"node-{uuid.uuid4().hex[:8]}")
    yield joined
    control_plane.kubectl("delete", "node", joined.name, "--wait=false")


@pytest.fixture(scope="session")
def crds(control_plane: Cluster) -> list[str]:
    """The names of our custom resource definitions, which the API server serves. A borrowed cluster keeps them."""
    files = sorted(CRDS.glob("*.yaml"))
    assert files, f"{CRDS} holds no custom resource definitions; generate them from lawflow.model first"
    sources = [f"--filename={file}" for file in files]
    applied = control_plane.kubectl("apply", "--server-side", "--force-conflicts", "--output=name", *sources)
    names = applied.stdout.split()
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    return [name.partition("/")[2] for name in names]
