"""An upgrade and its way back, under traffic: no call fails, no pod is restarted, and old sidecars go on."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support import chart
from tests.support.drill_shop import NAMESPACE, SECONDS, DrillShop, injected_version, write_image
from tests.support.node.cluster import NodeCluster, open_node
from tests.support.releases import Release, release
from tests.support.waiting import eventually

from lawflow.mesh.policy import SCHEMA
from lawflow.model.sidecar import CONTAINER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

Object = dict[str, Any]
OLD, NEW = "0.0.9", "0.1.0"
SECONDS_TO_INSTALL = 300.0


@dataclass(frozen=True)
class Upgraded:
    """The old release, installed, with a shop; and the new one, not installed yet."""

    cluster: NodeCluster
    shop: DrillShop
    new: Release

    def helm(self, command: str, *arguments: str) -> None:
        chart.helm(
            *(command, "lawflow", *arguments, f"--namespace={chart.NAMESPACE}", "--wait"),
            *(f"--kubeconfig={self.cluster.admin.kubeconfig}", f"--timeout={SECONDS_TO_INSTALL:.0f}s"),
            seconds=2.0 * SECONDS_TO_INSTALL,
        )

    def lives(self) -> dict[str, list[tuple[str, int]]]:
        """Which pods of the shop there are, and how often each of their containers was started again."""
        return {
            pod["metadata"]["uid"]: [
                (each["name"], each["restartCount"])
                for key in ("initContainerStatuses", "containerStatuses")
                for each in pod["status"][key]
            ]
            for pod in self.shop.pods()
        }

    def sidecars(self) -> dict[str, list[str]]:
        """By workload: the versions that its sidecars say, as the flow's status tells them."""
        return {each["name"]: each.get("sidecars", []) for each in self.shop.status().get("workloads", ())}


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("releases")
    old = release(OLD, folder, of_old=True)
    new = release(NEW, folder, before=[old])
    cluster = open_node(lambda text: print(text, file=sys.stderr))
    try:
        write_image(folder / "traffic.tar")
        cluster.load(folder / "traffic.tar")
        for each in (old, new):
            each.put_onto(cluster, folder)
        made = Upgraded(cluster, DrillShop(cluster), new)
        made.helm("install", str(old.chart), "--create-namespace")
        DrillShop.open(cluster)
        yield made
    finally:
        cluster.close()


def test_an_upgrade_and_its_rollback_disturb_nobody(upgraded: Upgraded) -> None:
    shop, cluster = upgraded.shop, upgraded.cluster
    old_text = _bootstrap(shop.pods("orders")[0])
    lives, began = upgraded.lives(), time.time()
    assert _said(upgraded) == {OLD}

    upgraded.helm("upgrade", str(upgraded.new.chart))
    assert upgraded.lives() == lives, "nothing is rolled out by force"
    assert {injected_version(pod) for pod in shop.pods()} == {OLD}
    eventually(lambda: shop.condition("Ready") == ("True", "Ready"), "the flow Ready under the new release", SECONDS)
    assert _said(upgraded) == {f"{OLD}"}

    # The old sidecar is genuine though its bootstrap differs: it gets a new certificate. A kubelet that has just
    # started asks for one for each pod, as it does at half life.
    orders = shop.pods("orders")[0]
    known = shop.certified(orders)
    cluster.stop("kubelet")
    cluster.start("kubelet")
    eventually(
        lambda: shop.certified(orders) - known,
        "a certificate for the old sidecar from the new signer",
        SECONDS,
    )

    shop.start("fresh")
    eventually(lambda: shop.running("fresh"), "a new pod", SECONDS)
    (fresh,) = shop.pods("fresh")
    assert injected_version(fresh) == NEW
    assert _bootstrap(fresh) != old_text, "the releases differ in their bootstraps, or nothing is proved here"
    eventually(
        lambda: (
            upgraded.sidecars()
            == {"orders": [f"{OLD}/{SCHEMA - 1}"], "billing": [f"{OLD}/{SCHEMA - 1}"], "fresh": [f"{NEW}/{SCHEMA}"]}
        ),
        "both versions in the flow's status",
        SECONDS,
    )
    assert shop.failures_since(began) == {}

    upgraded.helm("rollback", "1")
    eventually(
        lambda: shop.condition("Enforced") == ("False", "RestartRequired"),
        "word of the pod whose sidecar is too new for the old release",
        SECONDS,
    )
    (told,) = [each for each in shop.status()["workloads"] if each["name"] == "fresh"]
    assert (told["enforced"], told["reason"]) == (False, "RestartRequired")
    cluster.kubectl("rollout", "restart", "deployment/fresh", f"--namespace={NAMESPACE}")
    shop.available("fresh")
    eventually(lambda: shop.condition("Ready") == ("True", "Ready"), "the flow Ready under the old release", SECONDS)
    assert {injected_version(pod) for pod in shop.pods("fresh") if "deletionTimestamp" not in pod["metadata"]} == {OLD}
    assert {uid: lived for uid, lived in upgraded.lives().items() if uid in lives} == lives
    assert shop.failures_since(began) == {}


def _said(upgraded: Upgraded) -> set[str]:
    return {version.partition("/")[0] for said in upgraded.sidecars().values() for version in said}


def _bootstrap(pod: Object) -> str:
    (sidecar,) = [each for each in pod["spec"]["initContainers"] if each["name"] == CONTAINER]
    text: str = sidecar["args"][1]
    return text
