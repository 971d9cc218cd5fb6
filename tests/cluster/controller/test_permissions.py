"""The controller does all its work with the permissions that the chart gives it, and asks for no others."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support import merchant, toolchain
from tests.support.cluster import Cluster, Object, User
from tests.support.controller_process import ControllerProcess
from tests.support.waiting import eventually

from lawflow.model import labels

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

CHART = Path(__file__).resolve().parents[3] / "charts" / "lawflow"
NAME = "lawflow-controller"


def rendered(namespace: str, delivery: str) -> list[Object]:
    command = [str(toolchain.helm()), "template", "lawflow", str(CHART), f"--namespace={namespace}",
               f"--set=sidecar.delivery={delivery}"]  # fmt: skip
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.fixture(params=["secret", "podCertificate"])
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def account(control_plane: Cluster, namespace: str, delivery: str) -> Iterator[User]:
    """The controller's service account, bound to the chart's rules under names of this test's own."""
    control_plane.kubectl("create", "serviceaccount", NAME, "-n", namespace)
    own = f"{NAME}-{namespace}"
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": NAME}
    for document in rendered(namespace, delivery):
        kind = document["kind"]
        if kind not in ("Role", "ClusterRole") or document["metadata"]["name"] != NAME:
            continue
        where = {"namespace": namespace} if kind == "Role" else {}
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": own, **where},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": own},
            "subjects": [subject],
        }
        control_plane.apply({**document, "metadata": {"name": own, **where}}, binding)
    yield control_plane.service_account(namespace, NAME)
    control_plane.kubectl("delete", "clusterrole,clusterrolebinding", own)


def test_the_charts_permissions_are_enough(
    control_plane: Cluster, namespace: str, tmp_path: Path, account: User, delivery: str
) -> None:
    acme = f"acme-{namespace}"
    options = ("--today=2026-07-01", f"--delivery={delivery}", "--resync-seconds=1")
    control_plane.kubectl("label", "namespace", namespace, f"{labels.INJECT}=enabled")
    with ControllerProcess(control_plane, tmp_path, namespace, *options, user=account) as controller:
        eventually(controller.leads, "the replica leads")
        control_plane.apply(merchant.service(namespace, "billing"), merchant.deployment(namespace))
        control_plane.apply(
            *merchant.references(namespace, acme),
            merchant.flow(namespace, controller=acme),
            merchant.flow(namespace, "b", controller=acme, destination=merchant.to_service(None, "billing")),
        )
        control_plane.kubectl("wait", "--for=condition=Lawful", "dataflow/orders-to-psp", "-n", namespace)
        eventually(lambda: control_plane.find("networkpolicy", "lawflow-billing", "-n", namespace), "a policy")
        eventually(lambda: _touched(control_plane, namespace), "the ReplicaSet of refused pods is touched")
        control_plane.kubectl("delete", "dataflow", "--all", "-n", namespace)
        eventually(lambda: not control_plane.find("networkpolicy", "lawflow-billing", "-n", namespace), "no policy")
        assert controller.end() == 0
    control_plane.kubectl("delete", "datacontroller", acme)
    logged = [json.loads(line) for line in controller.log.read_text().splitlines()]
    assert not [line["message"] for line in logged if "forbidden" in line["message"].lower()]


def _touched(cluster: Cluster, namespace: str) -> bool:
    found = cluster.get("replicasets", "-n", namespace)["items"]
    return any(labels.RETRY in each["metadata"].get("annotations", {}) for each in found)
