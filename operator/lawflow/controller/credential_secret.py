"""A credential as a Secret of type kubernetes.io/tls, with the roots beside it. Pure."""

import base64

from lawflow.controller.network_policy import MANAGED_BY
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import Credential
from lawflow.identity.pem import PemError
from lawflow.model.sidecar import TRUST_FILE
from lawflow.store.protocol import Object


def credential_secret(namespace: str, name: str, credential: Credential, bundle: TrustBundle) -> Object:
    """The Secret that holds a credential."""
    files = credential.to_files(bundle)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name, "labels": dict(MANAGED_BY)},
        "type": "kubernetes.io/tls",
        "data": {file: base64.b64encode(text.encode()).decode() for file, text in files.items()},
    }


def stored_credential(secret: Object | None) -> Credential | None:
    """The credential in a Secret; ``None`` where there is none, or one that cannot be used."""
    try:
        return Credential.from_files(_files(secret))
    except PemError:
        return None


def holds_roots(secret: Object | None, bundle: TrustBundle) -> bool:
    """Whether the roots beside the credential are those of the bundle."""
    return _files(secret).get(TRUST_FILE) == bundle.to_pem()


def _files(secret: Object | None) -> dict[str, str]:
    data = (secret or {}).get("data") or {}
    return {name: base64.b64decode(text).decode("utf-8", "replace") for name, text in data.items()}
