"""The long drills: the node is started again, etcd goes back to a snapshot, the root of trust is replaced."""

import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.drills.conftest import Drilled
from tests.support.declared_shop import UNLAWFUL_FLOW, lawful_flow
from tests.support.drill_shop import NAMESPACE, SECONDS, UNLAWFUL, workload
from tests.support.node import snapshots
from tests.support.waiting import eventually

from lawflow.controller.authority import REPLACE_ROOT, SECRET_NAME
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.trust_bundle import BUNDLE_KEY, CONFIG_MAP_NAME

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800)]

Object = dict[str, Any]
SECONDS_OF_ROTATION = 600.0
"""An authority looks at itself once a minute; two looks are needed."""


def test_the_node_is_started_again(drilled: Drilled) -> None:
    """All pods are on it, so calls fail meanwhile; nobody has to lend a hand."""
    shop = drilled.shop
    drilled.cluster.restart()
    with drilled.healing("the node was started again"):
        # Of pods that the node has not started again yet, their status says what it said before.
        shop.passing()
        eventually(lambda: shop.running("billing") and shop.running("orders"), "the shop, Ready", SECONDS)
        eventually(drilled.available, "all of Lawflow, Ready", SECONDS)
        eventually(lambda: shop.start("late"), "a Deployment, admitted", SECONDS)
        eventually(lambda: shop.running("late"), "a new pod, Ready", SECONDS)
    with drilled.unharmed():
        refused = drilled.cluster.kubectl("apply", "--filename=-", input=workload(UNLAWFUL, "wait"), check=False)
        assert UNLAWFUL_FLOW in refused.stderr
    shop.end("late")


def indexed(drilled: Drilled) -> set[str]:
    """The flows that the gate knows to be lawful in the shop's namespace."""
    index = drilled.cluster.find("flowindex", INDEX_NAME, f"--namespace={NAMESPACE}") or {}
    lawful = index.get("spec", {}).get("lawful", "")
    return {entry.partition("/")[0] for entry in lawful.split(",") if entry}


def flow(name: str) -> Object:
    """A lawful flow like that of orders, of a service account of its own."""
    made = lawful_flow(NAMESPACE)
    made["metadata"]["name"] = f"{name}-to-billing"
    made["spec"]["source"]["serviceAccountName"] = name
    return made


def account(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}


def test_etcd_is_restored_from_a_snapshot(drilled: Drilled, tmp_path: Path) -> None:
    shop, cluster = drilled.shop, drilled.cluster
    cluster.apply(flow("kept"), account("kept"))
    eventually(lambda: "kept-to-billing" in indexed(drilled), "a flow that the gate knows", SECONDS)
    snapshots.save(cluster, tmp_path / "snapshot")
    cluster.kubectl("delete", "dataflow", "kept-to-billing", f"--namespace={NAMESPACE}")
    cluster.apply(flow("lost"), account("lost"))
    eventually(
        lambda: "lost-to-billing" in indexed(drilled) and "kept-to-billing" not in indexed(drilled),
        "the changes that will be undone, in force",
        SECONDS,
    )
    with drilled.unharmed():
        snapshots.restore(cluster, tmp_path / "snapshot")
        with drilled.healing("etcd was restored"):
            eventually(drilled.available, "all of Lawflow, Ready", SECONDS)
            eventually(lambda: shop.start("late", account="kept"), "a Deployment, admitted", SECONDS)
            eventually(lambda: shop.running("late"), "a pod of the flow that is back", SECONDS)
            eventually(
                lambda: "lost-to-billing" not in indexed(drilled) and "kept-to-billing" in indexed(drilled),
                "the gate as it was",
                SECONDS,
            )
        refused = cluster.kubectl("apply", "--filename=-", input=workload(UNLAWFUL, "wait"), check=False)
        assert UNLAWFUL_FLOW in refused.stderr
        # What is declared from now on counts: nobody watches the past.
        cluster.apply(flow("new"), account("new"))
        shop.start("newer", account="new")
        eventually(lambda: shop.running("newer"), "a pod of a flow that is new", SECONDS)
    for name in ("late", "newer"):
        shop.end(name)


def test_the_root_is_replaced(drilled: Drilled) -> None:
    shop, cluster = drilled.shop, drilled.cluster
    (old,) = roots(drilled)
    with drilled.unharmed():
        drilled.lawflow("set", "env", "deployment/lawflow-controller", "LAWFLOW_BUNDLE_SETTLING_SECONDS=5")
        drilled.lawflow("annotate", "secret", SECRET_NAME, f"{REPLACE_ROOT}={old}")
        eventually(lambda: len(roots(drilled)) == 2, "a second root, published", SECONDS_OF_ROTATION)
        eventually(lambda: reasons(drilled) >= {"RootPublished", "IssuerSwitched"}, "a new issuer", SECONDS_OF_ROTATION)
        # New certificates and old ones take each other: a new source, and a new pod of the destination.
        shop.drive("orders-anew")
        cluster.kubectl("scale", "deployment/billing", f"--namespace={NAMESPACE}", "--replicas=2")
        shop.available("billing")
        # All certificates are replaced: a kubelet that has just started asks for one for each pod.
        cluster.stop("kubelet")
        cluster.start("kubelet")
        cluster.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=120s", seconds=150.0)
        eventually(lambda: shop.condition("Ready") == ("True", "Ready"), "the flow, Ready", SECONDS)
        shop.start("late")
        eventually(lambda: shop.running("late"), "a new pod, Ready", SECONDS)
        assert shop.failures_since(0, "orders-anew") == {}
    assert old in roots(drilled), "trusted until the last certificate under it has expired"
    for name in ("late", "orders-anew"):
        shop.end(name)


def roots(drilled: Drilled) -> list[str]:
    """Fingerprints of the roots that everybody is told to trust."""
    published = drilled.cluster.get("configmap", CONFIG_MAP_NAME, "--namespace=lawflow-system")["data"][BUNDLE_KEY]
    ends = "-----END CERTIFICATE-----"
    found = [f"{part.strip()}\n{ends}\n" for part in published.split(ends) if part.strip()]
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(each)).hexdigest() for each in found]


def reasons(drilled: Drilled) -> set[str]:
    """What the authority told of itself."""
    events = drilled.cluster.get("events", "--namespace=lawflow-system")["items"]
    return {event["reason"] for event in events if event["involvedObject"].get("name") == SECRET_NAME}
