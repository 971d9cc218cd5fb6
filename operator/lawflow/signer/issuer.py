"""The authority that issues now, as the controller publishes it: without the root's key and without those of tokens."""

import base64

from lawflow.identity.authority import CertificateAuthority
from lawflow.model.kinds import SECRET
from lawflow.model.trust_bundle import ISSUER_NAME
from lawflow.signer.patience import NotYetError
from lawflow.store.protocol import Store


async def published_issuer(store: Store, namespace: str) -> CertificateAuthority:
    """The issuer in its Secret, read anew each time so that a switch of issuers counts at once.

    Raises NotYetError where there is none that can be used, which quotes nothing of it, and StoreError.
    """
    secret = await store.get(SECRET, namespace, ISSUER_NAME)
    if secret is None:
        raise NotYetError(f"there is no Secret {namespace}/{ISSUER_NAME} yet, which the controller makes")
    try:
        parts = {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}
        return CertificateAuthority.from_pem(parts)
    except (ValueError, KeyError) as error:
        raise NotYetError(
            f"the Secret {namespace}/{ISSUER_NAME} holds no issuer ({type(error).__name__}): delete it, and the "
            "controller makes it anew"
        ) from None
