"""What a node and its kubelet do to Kubernetes objects, without a machine: no container ever runs.

Everything a kubelet does is done here with a node's own credentials, so that the Node authorizer and the
NodeRestriction admission plugin judge it as they do in production. Binding Pods to nodes is the scheduler's work and
done by the administrator.

The API server looks nodes, Pods and service accounts up in caches that trail the store by some milliseconds. A real
kubelet retries what is refused for that reason, and so do the functions here.
"""

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from tests.support.cluster import Cluster, Object, User
from tests.support.waiting import eventually

SECONDS_FOR_CACHES = 60.0
NODE_ADDRESS = "127.0.0.1"  # where nobody listens as a kubelet, and who calls is told so at once

PrivateKey = CertificateIssuerPrivateKeyTypes

KEY_TYPES: dict[str, Callable[[], PrivateKey]] = {
    "ECDSAP256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECDSAP384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ECDSAP521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ED25519": ed25519.Ed25519PrivateKey.generate,
    "RSA3072": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    "RSA4096": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
}
"""By the names that a podCertificate volume source may ask for."""


@dataclass(frozen=True)
class Node:
    """A registered node and the credentials of its kubelet."""

    name: str
    uid: str
    user: User


def join(cluster: Cluster, name: str) -> Node:
    """Registers a node with its own credentials, ready and without taints."""
    user = cluster.user(f"system:node:{name}", "system:nodes")
    resources = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    registered = cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
            "status": {
                "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
                "capacity": resources,
                "allocatable": resources,
                "conditions": [_condition("Ready")],
            },
        },
        user=user,
    )
    # Admission taints every new node; the lifecycle controller, which would take that back, does not run.
    cluster.patch("node", name, {"spec": {"taints": None}})
    return Node(name, registered["metadata"]["uid"], user)


def bind(cluster: Cluster, node: Node, pod: Object) -> Object:
    """Assigns a Pod to a node, as the scheduler would; returns the Pod as it is then."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node.name},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
    cluster.kubectl("create", "--raw", path, "--filename=-", input=binding)
    return cluster.get("pod", name, "-n", namespace)


def run_pods(cluster: Cluster, node: Node, namespace: str, selector: str = "") -> list[str]:
    """One round of a node's work in a namespace; returns the names of its Pods that are ready after it.

    Pods without a node are bound to this one, new Pods become Running and Ready, and Pods that are being deleted are
    gone. Call it within ``eventually`` for as long as controllers make Pods.
    """
    ready = []
    for pod in cluster.get("pods", "-n", namespace, f"--selector={selector}")["items"]:
        name = pod["metadata"]["name"]
        if "nodeName" not in pod["spec"] and "deletionTimestamp" not in pod["metadata"]:
            pod = bind(cluster, node, pod)
        if pod["spec"].get("nodeName") != node.name:
            continue
        if "deletionTimestamp" in pod["metadata"]:
            end(cluster, node, pod)
            continue
        if pod["status"]["phase"] == "Pending":
            report_ready(cluster, node, pod)
        ready.append(name)
    return ready


def report_ready(cluster: Cluster, node: Node, pod: Object) -> None:
    """Reports that all of a Pod runs and is ready: ordinary init containers have ended well, sidecars run on."""
    status = {
        "phase": "Running",
        "startTime": _now(),
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "podIP": _address_of(pod),
        "podIPs": [{"ip": _address_of(pod)}],
        "conditions": [
            _condition(kind)
            for kind in ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
        ],
        "initContainerStatuses": [
            _running(container) if container.get("restartPolicy") == "Always" else _completed(container)
            for container in pod["spec"].get("initContainers", [])
        ],
        "containerStatuses": [_running(container) for container in pod["spec"]["containers"]],
    }
    cluster.replace_status("pods", pod | {"status": pod["status"] | status}, user=node.user)


def end(cluster: Cluster, node: Node, pod: Object) -> None:
    """Confirms that nothing of a Pod runs any more, which removes it."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    cluster.kubectl(
        *("delete", "pod", name, "-n", namespace, "--grace-period=0", "--force", "--wait=false", "--ignore-not-found"),
        user=node.user,
    )


@dataclass(frozen=True)
class PodCertificate:
    """A private key, which stays on the node, and the PodCertificateRequest for it."""

    key: PrivateKey
    request: Object


def request_pod_certificate(
    cluster: Cluster, node: Node, pod: Object, signer_name: str | None = None
) -> PodCertificate:
    """Requests the certificate that a Pod's podCertificate volume asks for: of that signer, or the first one.

    Raises AssertionError with the API server's reason where it refuses.
    """
    composed = compose_pod_certificate_request(cluster, node, pod, volume_source(pod, signer_name))
    stored = eventually(
        lambda: cluster.create(composed.request, user=node.user),
        f"{node.name} may request a certificate for {pod['metadata']['name']}",
        SECONDS_FOR_CACHES,
    )
    return PodCertificate(composed.key, stored)


def compose_pod_certificate_request(cluster: Cluster, node: Node, pod: Object, source: Object) -> PodCertificate:
    """A new key, and a request for it that is not yet sent.

    Possession of the key is proved by the signature of a certificate signing request that says nothing else; the API
    server verifies it (certificates.k8s.io/v1, spec.stubPKCS10Request).
    """
    metadata, account = pod["metadata"], pod["spec"]["serviceAccountName"]
    service_account = eventually(
        lambda: cluster.get("serviceaccount", account, "-n", metadata["namespace"], user=node.user),
        f"{node.name} may read the service account of {metadata['name']}",
        SECONDS_FOR_CACHES,
    )
    key = KEY_TYPES[source["keyType"]]()
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    proof = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, algorithm)
    spec = {
        "signerName": source["signerName"],
        "podName": metadata["name"],
        "podUID": metadata["uid"],
        "serviceAccountName": account,
        "serviceAccountUID": service_account["metadata"]["uid"],
        "nodeName": node.name,
        "nodeUID": node.uid,
        "stubPKCS10Request": base64.b64encode(proof.public_bytes(serialization.Encoding.DER)).decode(),
    }
    if "maxExpirationSeconds" in source:
        spec["maxExpirationSeconds"] = source["maxExpirationSeconds"]
    if "userAnnotations" in source:
        spec["unverifiedUserAnnotations"] = source["userAnnotations"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": {"generateName": "req-", "namespace": metadata["namespace"], "ownerReferences": [owner]},
        "spec": spec,
    }
    return PodCertificate(key, request)


def issued_chain(cluster: Cluster, node: Node, requested: PodCertificate, seconds: float = 30.0) -> str:
    """The certificate chain in PEM that the signer answers with, leaf first.

    Raises PermissionError with the signer's reason and message if it denied the request or failed, AssertionError if
    it stayed silent for so many ``seconds``.
    """
    metadata = requested.request["metadata"]

    def answer() -> Object | None:
        name, namespace = metadata["name"], metadata["namespace"]
        found = cluster.get("podcertificaterequest", name, "-n", namespace, user=node.user)
        status: Object = found.get("status", {})
        return status if status.get("conditions") else None

    status = eventually(answer, f"the signer answers {metadata['name']}", seconds)
    (condition,) = status["conditions"]
    if condition["type"] != "Issued":
        raise PermissionError(f"{condition['type']}: {condition['reason']}: {condition['message']}")
    chain: str = status["certificateChain"]
    return chain


def volume_source(pod: Object, signer_name: str | None = None) -> Object:
    """A Pod's podCertificate volume source for that signer, or its first one. Raises LookupError without any."""
    for volume in pod["spec"].get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            found: Object | None = source.get("podCertificate")
            if found and signer_name in (None, found["signerName"]):
                return found
    raise LookupError(f"the pod {pod['metadata']['name']} has no podCertificate volume for {signer_name or 'anyone'}")


def _running(container: Object) -> Object:
    return _container_status(container, {"running": {"startedAt": _now()}}, started=True)


def _completed(container: Object) -> Object:
    state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": _now(), "finishedAt": _now()}}
    return _container_status(container, state, started=False)


def _container_status(container: Object, state: Object, *, started: bool) -> Object:
    image = container["image"]
    about = {"name": container["name"], "image": image, "imageID": f"test://{image}", "restartCount": 0}
    return about | {"state": state, "started": started, "ready": True}


def _condition(kind: str) -> Object:
    return {"type": kind, "status": "True", "reason": "Test", "lastTransitionTime": _now()}


def _address_of(pod: Object) -> str:
    """An address of its own for each Pod, as far as 22 bits of its unique identifier go (RFC 6598 range)."""
    bits = int(pod["metadata"]["uid"].replace("-", ""), 16) % (2**22 - 2) + 1
    return f"100.{64 + (bits >> 16)}.{bits >> 8 & 255}.{bits & 255}"


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
