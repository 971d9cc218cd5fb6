"""``lawflow signer`` as a process: the chart's rights, probes, signals, and an API server that goes away."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import kubelet
from tests.support.chart_rights import account_of
from tests.support.cluster import Cluster, User
from tests.support.kubelet import Node
from tests.support.server_process import SignerProcess
from tests.support.signing import injected_pod, publish_issuer, requested
from tests.support.waiting import eventually

from lawflow.cli.injection import bootstrap_settings, sidecar_releases
from lawflow.controller.authority import SECRET_NAME
from lawflow.inject.settings import InjectionSettings
from lawflow.model.sidecar import SIGNER_NAME
from lawflow.model.trust_bundle import ISSUER_NAME, TOKEN_KEYS_NAME
from lawflow.store.protocol import Store

pytestmark = pytest.mark.cluster

REQUESTS = "podcertificaterequests.certificates.k8s.io"
IMAGE = "lawflow/sidecar:0.1.0"
SIGNERS = "signers.certificates.k8s.io"


@pytest.fixture
def account(control_plane: Cluster, namespace: str) -> Iterator[User]:
    with account_of(control_plane, namespace, "signer") as user:
        yield user


def signer_process(cluster: Cluster, directory: Path, namespace: str, user: User | None = None) -> SignerProcess:
    return SignerProcess(cluster, directory, namespace, f"--sidecar-image={IMAGE}", user=user)


def issued(cluster: Cluster, node: Node, namespace: str) -> str:
    """The chain for a pod with the sidecar of an installation in that namespace."""
    bootstrap = bootstrap_settings("cluster.local", namespace)
    (release,) = sidecar_releases([IMAGE], bootstrap)
    made = requested(cluster, node, injected_pod(namespace, injection=InjectionSettings(release)))
    return kubelet.issued_chain(cluster, node, made)


def ready(process: SignerProcess) -> bool:
    return process.get("/readyz").status_code == 200


@pytest.mark.usefixtures("service_account")
async def test_the_charts_rights_are_enough_and_it_ends_with_0_on_sigterm(
    store: Store, namespace: str, node: Node, control_plane: Cluster, tmp_path: Path, account: User
) -> None:
    await publish_issuer(store, namespace)
    with signer_process(control_plane, tmp_path, namespace, account) as signer:
        eventually(lambda: ready(signer), "a signer that has seen all requests")
        issued(control_plane, node, namespace)
        assert signer.get("/healthz").status_code == 200
        counts = 'lawflow_certificates_total{delivery="podCertificate",outcome="issued"} 1.0'
        eventually(lambda: counts in signer.get("/metrics").text, "the certificate, counted")
        assert signer.end() == 0
    lines = [json.loads(line) for line in signer.log.read_text().splitlines()]
    assert not [line for line in lines if line["levelname"] in ("ERROR", "WARNING")]


def test_its_rights_reach_the_issuer_alone_and_change_answers_alone(
    control_plane: Cluster, namespace: str, account: User
) -> None:
    def may(verb: str, resource: str, name: str | None = None) -> bool:
        return control_plane.may(account, verb, resource, namespace, name)

    assert may("get", "secrets", ISSUER_NAME)
    assert may("patch", f"{REQUESTS}/status")
    assert control_plane.may(account, "sign", SIGNERS, name=SIGNER_NAME)
    for name in (SECRET_NAME, TOKEN_KEYS_NAME, "lawflow-protection", None):
        assert not may("get", "secrets", name)
    for verb in ("list", "watch", "create", "patch", "update", "delete"):
        assert not may(verb, "secrets", ISSUER_NAME)
    for verb in ("create", "patch", "update", "delete"):
        for resource in (REQUESTS, "pods", "configmaps", "clustertrustbundles.certificates.k8s.io"):
            assert not may(verb, resource)
    assert not control_plane.may(account, "attest", SIGNERS, name=SIGNER_NAME)
    assert not control_plane.may(account, "sign", SIGNERS, name="kubernetes.io/kube-apiserver-client")


def test_it_ends_with_130_on_ctrl_c(control_plane: Cluster, namespace: str, tmp_path: Path) -> None:
    with signer_process(control_plane, tmp_path, namespace) as signer:
        eventually(lambda: ready(signer), "a signer that has seen all requests")
        assert signer.end(signal.SIGINT) == 130


@pytest.mark.usefixtures("service_account")
async def test_it_goes_on_by_itself_after_the_api_server_was_killed(
    store: Store, namespace: str, node: Node, control_plane: Cluster, tmp_path: Path
) -> None:
    await publish_issuer(store, namespace)
    with signer_process(control_plane, tmp_path, namespace) as signer:
        eventually(lambda: ready(signer), "a signer that has seen all requests")
        control_plane.kill("kube-apiserver")
        control_plane.start("kube-apiserver")
        issued(control_plane, node, namespace)
        assert signer.process.poll() is None
