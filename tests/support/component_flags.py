"""What a Kubernetes control plane of the tests is told, with a node below it or without."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.authority import KeyPair, private_pem

SERVICE_RANGES = "10.96.0.0/16,fd10:96::/108"


def etcd(data: Path, clients: str, peers: str) -> list[str]:
    """etcd at these URLs, which trusts the kernel to write its data to disk."""
    return [
        f"--data-dir={data}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # the kernel outlives a killed process, and nobody pulls the plug of a test
        "--log-level=warn",
    ]


def apiserver(directory: Path, etcd_url: str, serving: KeyPair, clients: Path) -> list[str]:
    """kube-apiserver, which authorizes as in production; ``clients`` signed the certificates of users."""
    signing_key, verifying_key = service_account_keys(directory)
    return [
        f"--etcd-servers={etcd_url}",
        f"--cert-dir={directory / 'kube-apiserver'}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={clients}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={signing_key}",
        f"--service-account-key-file={verifying_key}",
        f"--service-cluster-ip-range={SERVICE_RANGES}",
        "--allow-privileged=true",
        "--shutdown-watch-termination-grace-period=1s",  # else open watches hold up its end for a minute
    ]


def controller_manager(directory: Path, kubeconfig: Path, serving: KeyPair, authority: Path) -> list[str]:
    """kube-controller-manager, alone and in a hurry, its controllers under service accounts of their own."""
    signing_key, _ = service_account_keys(directory)
    return [
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={signing_key}",
        f"--root-ca-file={authority}",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def service_account_keys(directory: Path) -> tuple[Path, Path]:
    """The key that signs service account tokens and the one that verifies them, made where they are not there yet."""
    private, public = directory / "service-accounts.key", directory / "service-accounts.pub"
    if not private.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        private.write_bytes(private_pem(key))
        public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    return private, public
