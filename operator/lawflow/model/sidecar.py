"""The sidecar's contract with its pod: names, ports and paths that injection lays out and the Envoy bootstrap uses."""

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Literal

from lawflow.model import labels

Interception = Literal["explicit", "redirect"]
"""How an app's traffic reaches the sidecar: by host aliases on loopback addresses, or by rules in the pod's network."""

RedirectBy = Literal["cni", "initContainer"]
"""Who puts those rules there: a plugin of the node's, or an init container with the capability NET_ADMIN."""

CONTAINER = "lawflow-sidecar"
"""Name of the native sidecar: an init container whose restartPolicy is Always."""
USER_ID = 64536
"""Default user id of the sidecar: its own, so that redirect rules and the gate can tell it from every app."""

NETWORK_CONTAINER = "lawflow-network"
"""Name of the first init container in mode redirect: it sees that the rules are there, or puts them there."""
NETWORK_USER_ID = 64537
"""User id that it sees so as: any but the sidecar's, whose connections are not captured."""
NETWORK_COMMAND = ("/usr/local/bin/lawflow-network",)
NETWORK_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "NODE_ADDRESSES": "status.hostIPs",
        "PROBE_PORTS": f"metadata.annotations['{labels.PROBE_PORTS}']",
        "UDP_PORTS": f"metadata.annotations['{labels.UDP_PORTS}']",
    }
)
"""Variables of that container where it puts the rules there, and the fields of the pod that they hold."""
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "SERVICE_ACCOUNT": "spec.serviceAccountName",
        "POD_ADDRESS": "status.podIP",
        "POD_ADDRESSES": "status.podIPs",
        "INTERCEPTION": f"metadata.annotations['{labels.INTERCEPTION}']",
    }
)
"""Variables of the sidecar, and the fields of the pod that they hold. It has no others: one such as LD_PRELOAD would
run foreign code in it."""
OWN_CONTAINERS = (NETWORK_CONTAINER, CONTAINER)

PEER_PORT = 15443
"""Where peers connect with mutual TLS, on every address of the pod."""
HEALTH_PORT = 15021
"""Where the kubelet asks whether Envoy has started, on every address of the pod."""
HEALTH_PATH = "/ready"
"""The one path that the health listener answers."""
OUTBOUND_PORT = 15001
"""Where redirected outbound connections arrive, on loopback; used in mode redirect only."""

CERTIFICATE_VOLUME = "lawflow-certificate"
CERTIFICATE_DIRECTORY = "/var/run/lawflow/certificate"
"""Where the certificate volume is mounted; its ``..data`` link is swapped at each renewal, so watch the directory."""
CERTIFICATE_FILE = "tls.crt"
"""Leaf and intermediates, PEM, leaf first."""
KEY_FILE = "tls.key"
"""Private key of the leaf, PEM."""
TRUST_FILE = "ca.crt"
"""Roots that the xDS server's certificate may chain to, PEM. Trust in peers comes by ADS instead."""
CERTIFICATE_SECRET_FILE = "certificate-sds.json"  # noqa: S105 - a file name
"""In the same directory: the SDS answer with the secret named CERTIFICATE_SECRET."""
TRUST_SECRET_FILE = "trust-sds.json"  # noqa: S105 - a file name
"""In the same directory: the SDS answer with the secret named TRUST_SECRET."""
CERTIFICATE_SECRET = "certificate"  # noqa: S105 - a name
"""Envoy secret that holds the sidecar's own leaf and key."""
TRUST_SECRET = "trust"  # noqa: S105 - a name
"""Envoy secret that validates the xDS server."""

ADMIN_VOLUME = "lawflow-admin"
ADMIN_DIRECTORY = "/var/run/lawflow/admin"
ADMIN_SOCKET = f"{ADMIN_DIRECTORY}/admin.sock"
"""Envoy's admin interface: a unix socket in a volume that only the sidecar mounts."""

SIGNER_NAME = "lawflow.dev/sidecar"
"""Default signer of pod certificates, and of the ClusterTrustBundles with its roots."""

EGRESS_SERVICE_ACCOUNT = "lawflow-egress"
"""Whom the egress gateway runs as, in Lawflow's own namespace; also the name of its Service and Deployment."""

_MAXIMUM_NAME = 253


def certificate_secret_name(service_account: str) -> str:
    """Name of the Secret with a service account's certificate, where certificates are delivered by Secret."""
    name = f"lawflow-{service_account}"
    if len(name) <= _MAXIMUM_NAME:
        return name
    digest = sha256(service_account.encode()).hexdigest()[:16]
    return f"{name[: _MAXIMUM_NAME - 17].rstrip('-.')}-{digest}"
