"""A node without a machine does to objects what a kubelet does, and the API server judges it as a kubelet."""

import base64
import datetime as dt
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support import kubelet
from tests.support.cluster import Cluster, Object, User
from tests.support.kubelet import Node, PodCertificate, run_pods
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

SIGNER = "signer.example.test/mesh"


def pod_spec(key_type: str = "ECDSAP256") -> Object:
    certificate = {"signerName": SIGNER, "keyType": key_type, "credentialBundlePath": "bundle.pem"}
    return {
        "initContainers": [
            {"name": "prepare", "image": "prepare"},
            {"name": "sidecar", "image": "sidecar", "restartPolicy": "Always"},
        ],
        "containers": [{"name": "app", "image": "app"}],
        "volumes": [{"name": "credentials", "projected": {"sources": [{"podCertificate": certificate}]}}],
    }


def bound_pod(cluster: Cluster, namespace: str, node: Node, key_type: str = "ECDSAP256") -> Object:
    metadata = {"name": "orders", "namespace": namespace}
    pod = cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(key_type)})
    return kubelet.bind(cluster, node, pod)


@pytest.fixture
def deployed(control_plane: Cluster, namespace: str) -> str:
    """The namespace of a Deployment `shop` of two Pods, each with an init container and a sidecar."""
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": pod_spec()}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "shop", "namespace": namespace}
    control_plane.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    return namespace


def test_a_rollout_completes(control_plane: Cluster, deployed: str, node: Node) -> None:
    eventually(lambda: len(run_pods(control_plane, node, deployed)) == 2, "two pods run")
    first = set(run_pods(control_plane, node, deployed))
    control_plane.kubectl("rollout", "restart", "deployment/shop", "-n", deployed)

    def replaced() -> bool:
        running = set(run_pods(control_plane, node, deployed))
        return len(running) == 2 and not running & first

    eventually(replaced, "two other pods run, and the first two are gone")
    control_plane.kubectl("rollout", "status", "deployment/shop", "-n", deployed, "--timeout=30s")


def test_ready_pods_are_endpoints_of_their_service(control_plane: Cluster, deployed: str, node: Node) -> None:
    control_plane.kubectl("expose", "deployment", "shop", "--port=8080", "-n", deployed)
    eventually(lambda: len(run_pods(control_plane, node, deployed)) == 2, "two pods run")
    pods = control_plane.get("pods", "-n", deployed)["items"]

    def endpoints() -> set[str]:
        slices = control_plane.get("endpointslices", "-n", deployed)["items"]
        return {
            address
            for piece in slices
            for endpoint in piece["endpoints"] or []
            if endpoint["conditions"]["ready"]
            for address in endpoint["addresses"]
        }

    expected = {pod["status"]["podIP"] for pod in pods}
    assert len(expected) == 2
    eventually(lambda: endpoints() == expected, "both pods are ready endpoints")


@pytest.fixture
def signer(control_plane: Cluster) -> User:
    """A user who may do what a signer has to, and no more."""
    user = control_plane.user(f"signer-{uuid.uuid4().hex[:8]}")
    control_plane.allow(user, ["get", "list", "watch"], "podcertificaterequests.certificates.k8s.io")
    control_plane.allow(user, ["update", "patch"], "podcertificaterequests.certificates.k8s.io/status")
    control_plane.allow(user, ["sign"], "signers.certificates.k8s.io", name=SIGNER)
    return user


def answer(cluster: Cluster, signer: User, requested: PodCertificate, status: Object, verdict: str) -> None:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": verdict, "status": "True", "reason": "Tested", "message": "", "lastTransitionTime": now}
    answered = requested.request | {"status": status | {"conditions": [condition]}}
    cluster.replace_status("podcertificaterequests", answered, user=signer)


def signed(request: Object) -> Object:
    """A status with a leaf of one hour for the requested key."""
    wanted = x509.load_der_x509_csr(base64.b64decode(request["spec"]["stubPKCS10Request"]))
    begin = dt.datetime.now(dt.UTC).replace(microsecond=0)
    end = begin + dt.timedelta(hours=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(wanted.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return {
        "certificateChain": leaf.public_bytes(serialization.Encoding.PEM).decode(),
        "notBefore": begin.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "beginRefreshAt": (begin + dt.timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "notAfter": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


@pytest.mark.parametrize("key_type", ["ECDSAP256", "ED25519"])
def test_a_pod_certificate_is_requested_and_issued(
    control_plane: Cluster, namespace: str, node: Node, signer: User, key_type: str
) -> None:
    pod = bound_pod(control_plane, namespace, node, key_type)

    requested = kubelet.request_pod_certificate(control_plane, node, pod)
    answer(control_plane, signer, requested, signed(requested.request), "Issued")
    chain = kubelet.issued_chain(control_plane, node, requested)

    leaf = x509.load_pem_x509_certificate(chain.encode())
    assert leaf.public_key() == requested.key.public_key()


def test_a_denied_pod_certificate_says_why(control_plane: Cluster, namespace: str, node: Node, signer: User) -> None:
    requested = kubelet.request_pod_certificate(control_plane, node, bound_pod(control_plane, namespace, node))
    answer(control_plane, signer, requested, {}, "Denied")

    with pytest.raises(PermissionError, match="Denied: Tested"):
        kubelet.issued_chain(control_plane, node, requested)


def test_a_node_is_refused_a_certificate_for_a_pod_elsewhere(
    control_plane: Cluster, namespace: str, node: Node
) -> None:
    pod = bound_pod(control_plane, namespace, node)
    kubelet.request_pod_certificate(control_plane, node, pod)
    composed = kubelet.compose_pod_certificate_request(control_plane, node, pod, kubelet.volume_source(pod))
    stranger = kubelet.join(control_plane, f"stranger-{uuid.uuid4().hex[:8]}")

    with pytest.raises(AssertionError, match="which is not the requesting node"):
        control_plane.create(composed.request, user=stranger.user)

    control_plane.kubectl("delete", "node", stranger.name)


def test_a_certificate_that_no_volume_asks_for_is_refused(control_plane: Cluster, namespace: str, node: Node) -> None:
    pod = bound_pod(control_plane, namespace, node)
    kubelet.request_pod_certificate(control_plane, node, pod)
    source = {"signerName": "other.example.test/mesh", "keyType": "ECDSAP256"}
    composed = kubelet.compose_pod_certificate_request(control_plane, node, pod, source)

    with pytest.raises(AssertionError, match="does not mount a podCertificate projected volume"):
        control_plane.create(composed.request, user=node.user)
