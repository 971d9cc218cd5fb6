"""The sidecar's volumes, which nothing else may mount."""

from typing import Any

from lawflow.inject.secret_discovery import FILES
from lawflow.inject.settings import InjectionSettings
from lawflow.model import sidecar as contract

NAMES = (contract.CERTIFICATE_VOLUME, contract.ADMIN_VOLUME)

_CERTIFICATE_SECONDS = 3600
"""The shortest life that the API server takes for a pod certificate, and the longest that Lawflow issues."""

# 0444: key material in a volume that one container mounts; files belong to root and the sidecar is not root.
_READ_ONLY = 0o444


def sidecar_volumes(settings: InjectionSettings, service_account: str) -> list[dict[str, Any]]:
    """The certificate volume and the one for the admin socket, with all defaults written out."""
    sources = [*_certificate_sources(settings, service_account), {"downwardAPI": {"items": _secret_discovery()}}]
    return [
        {"name": contract.CERTIFICATE_VOLUME, "projected": {"defaultMode": _READ_ONLY, "sources": sources}},
        {"name": contract.ADMIN_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]


def _certificate_sources(settings: InjectionSettings, service_account: str) -> list[dict[str, Any]]:
    if settings.delivery == "secret":
        files = (contract.CERTIFICATE_FILE, contract.KEY_FILE, contract.TRUST_FILE)
        items = [{"key": file, "path": file} for file in files]
        return [{"secret": {"name": contract.certificate_secret_name(service_account), "items": items}}]
    certificate = {
        "signerName": settings.signer_name,
        "keyType": "ECDSAP256",
        "maxExpirationSeconds": _CERTIFICATE_SECONDS,
        "keyPath": contract.KEY_FILE,
        "certificateChainPath": contract.CERTIFICATE_FILE,
    }
    # An empty selector takes every bundle of the signer: during a change of roots, the old one and the new one.
    trust = {"signerName": settings.signer_name, "labelSelector": {}, "path": contract.TRUST_FILE}
    return [{"podCertificate": certificate}, {"clusterTrustBundle": trust}]


def _secret_discovery() -> list[dict[str, Any]]:
    return [
        {"path": file, "fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{annotation}']"}}
        for annotation, file in FILES.items()
    ]
