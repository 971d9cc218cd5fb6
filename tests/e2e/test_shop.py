"""The product as users get it: installed by Helm on a real node, with real images, between real pods."""

import pytest
from tests.e2e.conftest import NAMESPACE, Shop, deployment
from tests.support.node.cluster import NodeCluster

from lawflow.model.sidecar import CONTAINER, PEER_PORT, USER_ID

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ORDER = {"customer": {"id": "c-17", "birthday": "1980-02-29"}, "amount": 12, "note": "leave it at the neighbour's"}


KNOCK = """
import socket, ssl, sys

context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
    with context.wrap_socket(connection, server_hostname="p8080.billing.shop.svc") as peer:
        print(b"spiffe://cluster.local/ns/shop/sa/billing" in peer.getpeercert(binary_form=True))
        peer.sendall(b"POST /charges/c-17 HTTP/1.1\\r\\nhost: billing\\r\\ncontent-length: 0\\r\\n\\r\\n")
        print(peer.recv(99))
except OSError:
    print("refused")
"""


def test_pods_get_a_sidecar_and_are_ready_under_pod_security_restricted(shop: Shop) -> None:
    pods = shop.pods()
    assert len(pods) == 2
    for pod in pods:
        (sidecar,) = pod["spec"]["initContainers"]
        assert sidecar["name"] == CONTAINER
        assert sidecar["restartPolicy"] == "Always"
        assert sidecar["securityContext"]["runAsUser"] == USER_ID
        assert {"type": "Ready", "status": "True"}.items() <= _condition(pod, "Ready").items()


def test_a_declared_request_reaches_its_peer_by_mutual_tls(shop: Shop) -> None:
    answer = shop.call("POST", "/charges/c-17", ORDER)
    assert answer.status == 200
    assert "spiffe://cluster.local/ns/shop/sa/orders" in answer.document["caller"]


def test_only_declared_fields_leave_in_either_direction(shop: Shop) -> None:
    answer = shop.call("POST", "/charges/c-17", ORDER)
    assert answer.document["received"] == ["/customer/id", "/amount"]
    assert set(answer.document) == {"received", "caller"}


def test_a_pod_without_a_certificate_gets_nothing_from_a_sidecar(shop: Shop, installed: NodeCluster) -> None:
    stranger = deployment("stranger", "wait")["spec"]["template"]["spec"]
    del stranger["serviceAccountName"]
    metadata = {"name": "stranger", "namespace": "default"}
    installed.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": stranger})
    installed.kubectl("wait", "--for=condition=Ready", "pod/stranger", "--timeout=30s")
    (address,) = [pod["status"]["podIP"] for pod in shop.pods() if pod["metadata"]["labels"]["app"] == "billing"]
    tried = installed.kubectl("exec", "stranger", "--", "/usr/bin/python3", "-c", KNOCK, address, str(PEER_PORT))
    assert tried.stdout.split() == ["True", "refused"], "it may see whom it called, and nothing more"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/charges/c-17"), ("GET", "/"), ("POST", "/admin")])
def test_an_undeclared_call_is_refused_with_a_problem(shop: Shop, method: str, path: str) -> None:
    answer = shop.call(method, path)
    assert answer.status == 403
    assert answer.type == "application/problem+json"
    assert answer.document["enforcedBy"] == "spiffe://cluster.local/ns/shop/sa/orders"


def test_a_workload_whose_flow_has_no_lawful_basis_is_refused(shop: Shop, installed: NodeCluster) -> None:
    installed.kubectl(
        *("wait", "--for=condition=Lawful=False", "dataflow/marketing-to-billing", f"--namespace={NAMESPACE}"),
    )
    refused = installed.kubectl("apply", "--filename=-", input=deployment("marketing", "wait"), check=False)
    assert refused.returncode != 0
    assert "marketing-to-billing" in refused.stderr
    assert "consentPolicyRef" in refused.stderr
    assert installed.find("deployment", "marketing", f"--namespace={NAMESPACE}") is None


def _condition(pod: dict[str, object], kind: str) -> dict[str, object]:
    status = pod["status"]
    assert isinstance(status, dict)
    (found,) = [each for each in status["conditions"] if each["type"] == kind]
    assert isinstance(found, dict)
    return found
