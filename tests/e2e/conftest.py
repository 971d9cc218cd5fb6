"""A real cluster, the chart as Helm installs it, and a shop that opted in. Each is made once, for all tests here."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support import chart, environment
from tests.support.builds import GO_MODULES, cache
from tests.support.declared_shop import declared
from tests.support.node import images, oci
from tests.support.node.cluster import NodeCluster, open_node
from tests.support.waiting import eventually

Object = dict[str, Any]

HERE = Path(__file__).parent
ROOT = GO_MODULES.parent
NODE = [sys.executable, "-m", "tests.support.node"]
"""What ``make cluster`` runs."""
APP_IMAGE = "docker.io/lawflow/peer:test"
PORT = 8080
SECONDS_TO_INSTALL = 240
NAMESPACE = "shop"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that start nodes of their own go first: beside them, the node that all others share would cost half a
    processor for doing nothing."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    sharing = {item.path for item in ours if "cluster" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in sharing)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The images of operator, sidecar and app."""
    folder = tmp_path_factory.mktemp("images")
    for name, write in {"operator": images.operator, "sidecar": images.sidecar, "app": _write_app}.items():
        write(folder / f"{name}.tar")
    return sorted(folder.glob("*.tar"))


@contextmanager
def node_with(archives: list[Path]) -> Iterator[NodeCluster]:
    """A node with those images on it, until the block ends."""
    opened = open_node(lambda text: print(text, file=sys.stderr))
    try:
        for archive in archives:
            opened.load(archive)
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="session")
def cluster(archives: list[Path]) -> Iterator[NodeCluster]:
    """A node of this run's own, for tests that leave the installation as it is."""
    with node_with(archives) as opened:
        yield opened


@pytest.fixture(scope="session")
def installed(cluster: NodeCluster) -> NodeCluster:
    """The chart with its defaults."""
    install(cluster)
    return cluster


def install(cluster: NodeCluster, *flags: str) -> None:
    """Helm returns when all pods are ready and the startup check has passed."""
    chart.helm(
        *("install", "lawflow", str(chart.CHART), f"--namespace={chart.NAMESPACE}", "--create-namespace"),
        *(f"--kubeconfig={cluster.admin.kubeconfig}", "--wait", f"--timeout={SECONDS_TO_INSTALL}s", *flags),
        seconds=2.0 * SECONDS_TO_INSTALL,
    )


@pytest.fixture
def apart() -> Iterator[dict[str, str]]:
    """The environment of a ``make cluster`` apart from the one that somebody may be using: its programs are shared, its
    folder not."""
    with tempfile.TemporaryDirectory(prefix="lawflow-") as folder:  # short, because sockets will lie in it
        for kept in cache().iterdir():
            if kept.is_dir() and kept.name != "running-cluster" and not kept.name.startswith("node-"):
                Path(folder, kept.name).symlink_to(kept)
        # Neither another cluster, nor the jobs of a make that runs these tests.
        variables = environment.without("KUBE", "MAKE", "MFLAGS") | {"LAWFLOW_CACHE": folder}
        yield variables
        subprocess.run([*NODE, "down"], cwd=ROOT, env=variables, check=True)


@dataclass(frozen=True)
class Answer:
    """What the client's app got."""

    status: int
    type: str
    document: Object


@dataclass(frozen=True)
class Shop:
    """Two running pods with sidecars."""

    cluster: NodeCluster

    def call(self, method: str, path: str, body: Object | None = None) -> Answer:
        """One request of the app of orders to billing, by the name that it would use without Lawflow, too."""
        url = f"http://billing.{NAMESPACE}.svc:{PORT}{path}"
        sent = [json.dumps(body)] if body else []
        done = self.cluster.kubectl(
            *("exec", f"--namespace={NAMESPACE}", "deploy/orders", "--container=app", "--"),
            *("/usr/bin/python3", "/app/peer.py", "call", method, url, *sent),
        )
        return Answer(**json.loads(done.stdout))

    def pods(self) -> list[Object]:
        """The pods of both apps."""
        found: list[Object] = self.cluster.get("pods", f"--namespace={NAMESPACE}")["items"]
        return found


@pytest.fixture(scope="session")
def shop(installed: NodeCluster) -> Shop:
    """The lawful half of the shop, running."""
    installed.apply(*declared(NAMESPACE))
    installed.kubectl(
        "wait", "--for=condition=Lawful", "dataflow/orders-to-billing", f"--namespace={NAMESPACE}", "--timeout=60s"
    )
    installed.apply(deployment("billing", "serve", str(PORT)), deployment("orders", "wait"))
    for name in ("billing", "orders"):
        installed.kubectl(
            *("rollout", "status", f"deployment/{name}", f"--namespace={NAMESPACE}", "--timeout=120s"), seconds=150.0
        )
    installed.kubectl(
        *("wait", "--for=condition=Ready", "dataflow/orders-to-billing", f"--namespace={NAMESPACE}", "--timeout=60s"),
        seconds=90.0,
    )
    found = Shop(installed)
    # Pods that become ready side by side: callers learn of the called one's address a moment later.
    eventually(lambda: found.call("POST", "/charges/c-17", {"amount": 1}).status == 200, "a call that gets through")
    return found


def deployment(name: str, *arguments: str) -> Object:
    """A Deployment of the app, under the service account of its name, as Pod Security restricted wants it."""
    labels = {"app": name}
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    app = {"name": "app", "image": APP_IMAGE, "args": list(arguments), "securityContext": context}
    app["imagePullPolicy"] = "Never"
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": name, "containers": [app]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def _write_app(archive: Path) -> int:
    root = archive.parent / "root"
    (root / "app").mkdir(parents=True)
    shutil.copy(HERE / "app" / "peer.py", root / "app")
    layers = [images.kept_layer(images.python_base()), oci.layer(root)]
    return oci.write(oci.Image(APP_IMAGE, layers, ["/usr/bin/python3", "/app/peer.py"]), archive)
