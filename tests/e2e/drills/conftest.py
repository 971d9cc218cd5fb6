"""A shop whose calls must not fail while drills take Lawflow and the node apart, and that all is whole after each."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pytest
from tests.support import chart
from tests.support.drill_shop import NAMESPACE, SECONDS, DrillShop, write_image
from tests.support.node.cluster import NodeCluster
from tests.support.waiting import eventually

PROMISED = 60.0
"""Within how many seconds Lawflow is to heal by itself."""
SLACK = 2.0
"""How much slower this machine may be than one that has nothing else to do."""
COMPONENTS = ("controller", "webhook", "xds", "standby", "signer")

_SIDECARS = re.compile(rf'^lawflow_xds_sidecars{{namespace="{NAMESPACE}"}} (.+)$', re.MULTILINE)


@dataclass
class Drilled:
    """The cluster, the shop, and how long each healing took."""

    cluster: NodeCluster
    shop: DrillShop
    replicas: dict[str, int] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)

    def scale(self, *components: str, down: bool) -> None:
        """Takes parts of Lawflow away, or brings them back; returns at once when bringing back."""
        for name in components:
            count = 0 if down else self.replicas[name]
            self.lawflow("scale", f"deployment/lawflow-{name}", f"--replicas={count}")
        if down:
            for name in components:
                self.lawflow("wait", "--for=delete", "pod", chart.selector(name), f"--timeout={SECONDS:.0f}s")

    def lawflow(self, *arguments: str) -> str:
        """kubectl in Lawflow's namespace."""
        return self.cluster.kubectl(*arguments, f"--namespace={chart.NAMESPACE}", seconds=SECONDS).stdout

    def pods(self, component: str) -> list[str]:
        """The pods of a part of Lawflow, by their names."""
        found = self.lawflow("get", "pods", chart.selector(component), "--output=name").split()
        return [each.removeprefix("pod/") for each in found]

    def connected(self) -> int:
        """How many sidecars of the shop the xDS servers serve."""
        where = [f"/api/v1/namespaces/{chart.NAMESPACE}/pods/{each}:8080" for each in self.pods("xds")]
        told = [self.cluster.kubectl("get", "--raw", f"{each}/proxy/metrics", check=False).stdout for each in where]
        found = (_SIDECARS.search(each) for each in told)
        return sum(round(float(each[1])) for each in found if each)

    def stand_by(self) -> int:
        """How many of the standby's pods there are, where all are Ready; else 0."""
        found = self.cluster.get("pods", f"--namespace={chart.NAMESPACE}", chart.selector("standby"))["items"]
        conditions = (each["status"].get("conditions", ()) for each in found)
        ready = [any((one["type"], one["status"]) == ("Ready", "True") for one in each) for each in conditions]
        return len(ready) if all(ready) else 0

    def available(self) -> bool:
        """Whether all of Lawflow's pods are Ready."""
        found = self.cluster.get("deployments", f"--namespace={chart.NAMESPACE}")["items"]
        counts = ("replicas", "readyReplicas", "updatedReplicas")
        return all({each["status"].get(name, 0) for name in counts} == {each["spec"]["replicas"]} for each in found)

    @contextmanager
    def healing(self, what: str) -> Iterator[None]:
        """Times what is done within; fails where it took longer than is promised, on a machine as slow as may be."""
        began = time.monotonic()
        yield
        self.times[what] = time.monotonic() - began
        print(f"healed after {self.times[what]:5.1f} s: {what}", file=sys.stderr)
        assert self.times[what] < PROMISED * SLACK, f"{what} took {self.times[what]:.0f} s and not a minute"

    def unharmed(self) -> AbstractContextManager[None]:
        """Fails where a call of the shop failed within."""
        return _unharmed(self.shop)

    def whole(self) -> None:
        """Waits until Lawflow is whole, as between drills."""
        eventually(self.available, "all pods of Lawflow Ready", SECONDS)
        self.cluster.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=60s")


@contextmanager
def _unharmed(shop: DrillShop) -> Iterator[None]:
    began = time.time()
    yield
    lost = shop.failures_since(began)
    assert not lost, f"calls failed: {lost}"


@pytest.fixture(scope="package")
def drilled(installed: NodeCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drilled]:
    """The chart with its defaults, and the shop."""
    traffic = tmp_path_factory.mktemp("images") / "traffic.tar"
    write_image(traffic)
    installed.load(traffic)
    replicas = {
        name: installed.get("deployment", f"lawflow-{name}", f"--namespace={chart.NAMESPACE}")["spec"]["replicas"]
        for name in COMPONENTS
    }
    yield Drilled(installed, DrillShop.open(installed), replicas)
    # Its calls would slow down every test that comes after.
    installed.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(autouse=True)
def mended(drilled: Drilled) -> Iterator[None]:
    """Leaves the cluster whole, so that one failure does not bring on the next."""
    yield
    drilled.cluster.mend()
    drilled.scale(*COMPONENTS, down=False)
    drilled.whole()
