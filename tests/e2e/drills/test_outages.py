"""What holds while parts of Lawflow are away, row by row, and that all heals within a minute without a hand."""

import time

import pytest
from tests.e2e.drills.conftest import COMPONENTS, Drilled
from tests.support.declared_shop import UNLAWFUL_FLOW
from tests.support.drill_shop import NAMESPACE, SECONDS, UNLAWFUL, workload
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

AWAY = {
    "webhook": ("webhook",),
    "signer": ("signer",),
    "all of Lawflow": COMPONENTS,
}
"""What new pods wait for."""
SECONDS_WITHOUT_AN_API_SERVER = 10.0


def test_calls_that_fail_are_counted(drilled: Drilled) -> None:
    """The measure of all drills here, tried on what must disturb the calls."""
    shop, began = drilled.shop, time.time()
    (killed,) = (pod["metadata"]["name"] for pod in shop.pods("billing"))
    drilled.cluster.kubectl("delete", "pod", killed, f"--namespace={NAMESPACE}", "--force")
    eventually(lambda: killed not in str(shop.pods("billing")) and shop.running("billing"), "another pod", SECONDS)
    assert shop.failures_since(began)


@pytest.mark.parametrize("away", AWAY)
def test_what_holds_while_it_is_away_and_heals_when_it_is_back(drilled: Drilled, away: str) -> None:
    shop = drilled.shop
    with drilled.unharmed():
        drilled.scale(*AWAY[away], down=True)
        # New lawful pods wait: for the webhook to be made at all, for the signer with their certificate.
        shop.start("late")
        if "webhook" not in AWAY[away]:
            eventually(lambda: shop.pods("late"), "a pod, admitted", SECONDS)
        refuses_the_unlawful_and_nobody_else(drilled)
        assert not shop.running("late")
        assert bool(shop.pods("late")) == ("webhook" not in AWAY[away])
        with drilled.healing(f"new pods start after {away} came back"):
            drilled.scale(*AWAY[away], down=False)
            eventually(lambda: shop.running("late"), "the pod that waited, Ready", SECONDS)
        shop.end("late")


def test_without_controller_and_xds_new_pods_start_with_the_last_known_policy(drilled: Drilled) -> None:
    shop, away = drilled.shop, ("controller", "xds")
    with drilled.unharmed():
        drilled.scale(*away, down=True)
        # One of those who stand by forgets what it knew and is told by the other, which ends then.
        first, other = drilled.pods("standby")
        drilled.lawflow("delete", "pod", first, "--force", "--grace-period=0")
        eventually(lambda: drilled.stand_by() == drilled.replicas["standby"], "a pod in its place, Ready", SECONDS)
        drilled.lawflow("delete", "pod", other, "--force", "--grace-period=0")
        shop.drive("late")
        refuses_the_unlawful_and_nobody_else(drilled)
        with drilled.healing("all sidecars have an xDS server again after controller and xds came back"):
            drilled.scale(*away, down=False)
            eventually(lambda: drilled.connected() >= len(shop.pods()), "all sidecars connected", SECONDS)
    shop.end("late")


def refuses_the_unlawful_and_nobody_else(drilled: Drilled) -> None:
    """Unlawful workloads are refused, and others are served as if there were no Lawflow."""
    cluster = drilled.cluster
    refused = cluster.kubectl("apply", "--filename=-", input=workload(UNLAWFUL, "wait"), check=False)
    assert refused.returncode != 0
    assert UNLAWFUL_FLOW in refused.stderr
    cluster.apply(workload("stranger", "wait", account="default", namespace="default"))
    told = f"--timeout={SECONDS:.0f}s"
    cluster.kubectl("rollout", "status", "deployment/stranger", "--namespace=default", told, seconds=SECONDS)
    cluster.kubectl("delete", "deployment", "stranger", "--namespace=default")


def test_pods_start_and_get_new_certificates_while_the_controller_is_away(drilled: Drilled) -> None:
    shop, cluster = drilled.shop, drilled.cluster
    (orders,) = shop.pods("orders")
    with drilled.unharmed():
        drilled.scale("controller", down=True)
        shop.start("late")
        eventually(lambda: shop.running("late"), "a new pod, Ready", SECONDS)
        known = shop.certified(orders)
        # A kubelet that has just started asks for a certificate for each pod, as it does at half life.
        cluster.stop("kubelet")
        cluster.start("kubelet")
        eventually(lambda: shop.certified(orders) - known, "a new certificate for a pod that runs", SECONDS)
    shop.end("late")


def test_every_lawflow_pod_killed_at_once(drilled: Drilled) -> None:
    shop = drilled.shop
    with drilled.unharmed(), drilled.healing("every Lawflow pod killed at once"):
        drilled.lawflow("delete", "pods", "--all", "--force", "--grace-period=0")
        shop.start("late")
        eventually(lambda: shop.running("late"), "a new pod, Ready", SECONDS)
        eventually(drilled.available, "all of Lawflow, Ready", SECONDS)
    shop.end("late")


def test_the_api_server_is_killed_and_comes_back(drilled: Drilled) -> None:
    shop, cluster = drilled.shop, drilled.cluster
    with drilled.unharmed():
        cluster.kill("kube-apiserver")
        time.sleep(SECONDS_WITHOUT_AN_API_SERVER)  # the outage itself
        cluster.start("kube-apiserver")
        with drilled.healing("the API server came back"):
            # Until it has read the index again, it refuses what the index would have to speak of.
            eventually(lambda: shop.start("late"), "a Deployment, admitted", SECONDS)
            eventually(lambda: shop.running("late"), "a new pod, Ready", SECONDS)
            eventually(drilled.available, "all of Lawflow, Ready", SECONDS)
        refused = cluster.kubectl("apply", "--filename=-", input=workload(UNLAWFUL, "wait"), check=False)
        assert UNLAWFUL_FLOW in refused.stderr
        shop.end("late")
