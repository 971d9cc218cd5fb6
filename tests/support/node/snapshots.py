"""Snapshots of a node's etcd, as an administrator saves and restores them."""

from pathlib import Path

from tests.support.builds import GO_MODULES, digest, kept, run_go
from tests.support.node.cluster import NodeCluster
from tests.support.node.configuration import ETCD_CLIENTS, ETCD_DATA, ETCD_PEERS

MODULE = GO_MODULES / "etcdsnapshot"
SEEN_BY_WATCHERS = ("kube-apiserver", "etcd")
"""What stands still while etcd's data are exchanged, in the order in which it ends."""


def save(cluster: NodeCluster, file: Path) -> None:
    """Saves what etcd holds."""
    cluster.on_node(str(_program()), "save", ETCD_CLIENTS, str(file), "-")


def restore(cluster: NodeCluster, file: Path) -> None:
    """Puts etcd back to what a snapshot holds, and starts the API server on that."""
    for component in SEEN_BY_WATCHERS:
        cluster.stop(component)
    cluster.on_node("rm", "--recursive", str(ETCD_DATA))
    cluster.on_node(str(_program()), "restore", str(file), str(ETCD_DATA), ETCD_PEERS)
    for component in reversed(SEEN_BY_WATCHERS):
        cluster.start(component)


def _program() -> Path:
    sources = [MODULE / name for name in ("go.mod", "go.sum", "main.go")]

    def build(into: Path) -> None:
        run_go("build", "-trimpath", "-o", str(into / "etcdsnapshot"), ".", cwd=MODULE)

    key = digest(*(path.read_bytes() for path in sources))
    return kept(f"etcdsnapshot-{key}", "building the program for etcd's snapshots (a minute)", build) / "etcdsnapshot"
