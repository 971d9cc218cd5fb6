"""The controller does all its work with the permissions that the chart gives it, and asks for no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import merchant
from tests.support.chart_rights import account_of
from tests.support.cluster import Cluster, User
from tests.support.server_process import ControllerProcess
from tests.support.waiting import eventually

from lawflow.model import labels
from lawflow.model.sidecar import SIGNER_NAME
from lawflow.model.trust_bundle import ISSUER_NAME

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

SIGNERS = "signers.certificates.k8s.io"


@pytest.fixture(params=["secret", "podCertificate"])
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def account(control_plane: Cluster, namespace: str, delivery: str) -> Iterator[User]:
    with account_of(control_plane, namespace, "controller", f"--set=sidecar.delivery={delivery}") as user:
        yield user


def test_the_charts_permissions_are_enough(
    control_plane: Cluster, namespace: str, tmp_path: Path, account: User, delivery: str
) -> None:
    acme = f"acme-{namespace}"
    options = ("--today=2026-07-01", f"--delivery={delivery}", "--resync-seconds=1")
    control_plane.kubectl("label", "namespace", namespace, f"{labels.INJECT}=enabled")
    with ControllerProcess(control_plane, tmp_path, namespace, *options, user=account) as controller:
        eventually(controller.leads, "the replica leads")
        if delivery == "podCertificate":
            # Published after all else that the authority has to say.
            eventually(lambda: control_plane.find("secret", ISSUER_NAME, "-n", namespace), "the signer's issuer")
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


def test_the_controller_may_vouch_for_the_signers_roots_and_not_sign(
    control_plane: Cluster, account: User, delivery: str
) -> None:
    vouches = delivery == "podCertificate"
    assert control_plane.may(account, "attest", SIGNERS, name=SIGNER_NAME) == vouches
    assert not control_plane.may(account, "sign", SIGNERS, name=SIGNER_NAME)
    for verb in ("get", "list", "watch", "patch", "update"):
        assert not control_plane.may(account, verb, "podcertificaterequests.certificates.k8s.io")
        assert not control_plane.may(account, verb, "podcertificaterequests.certificates.k8s.io/status")


def _touched(cluster: Cluster, namespace: str) -> bool:
    found = cluster.get("replicasets", "-n", namespace)["items"]
    return any(labels.RETRY in each["metadata"].get("annotations", {}) for each in found)
