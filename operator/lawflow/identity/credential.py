"""What a workload holds: a private key and the certificates that prove whose it is."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from lawflow.identity.authority import SVID_LIFETIME, CertificateAuthority, RandomBytes, issue_x509_svid
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import (
    Chain,
    PemError,
    PrivateKey,
    certificates_from_pem,
    certificates_to_pem,
    private_key_from_pem,
    private_key_to_pem,
    same_public_key,
)
from lawflow.identity.spiffe import SpiffeId
from lawflow.model.sidecar import CERTIFICATE_FILE, KEY_FILE, TRUST_FILE


@dataclass(frozen=True)
class Credential:
    """A key and its chain, leaf first.

    Raises PemError if they do not belong together: a half-replaced pair would fail every handshake.
    """

    key: PrivateKey
    chain: Chain

    def __post_init__(self) -> None:
        if not self.chain or not same_public_key(self.chain[0].public_key(), self.key.public_key()):
            raise PemError("the private key and the certificate do not belong together: replace both at once")

    def to_files(self, bundle: TrustBundle) -> dict[str, str]:
        """Texts by file name, as the sidecar expects them in its certificate volume, with the roots beside them.

        They are the data of a Secret of type kubernetes.io/tls, or files to be replaced in one step.
        """
        return {
            CERTIFICATE_FILE: certificates_to_pem(self.chain),
            KEY_FILE: private_key_to_pem(self.key),
            TRUST_FILE: bundle.to_pem(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> "Credential":
        """Read what :meth:`to_files` wrote. Raises PemError, also for a file that is missing."""
        return cls(
            private_key_from_pem(files.get(KEY_FILE, "")), certificates_from_pem(files.get(CERTIFICATE_FILE, ""))
        )


def issue_credential(
    issuer: CertificateAuthority,
    spiffe_id: SpiffeId,
    *,
    key: PrivateKey,
    now: dt.datetime,
    random: RandomBytes,
    lifetime: dt.timedelta = SVID_LIFETIME,
) -> Credential:
    """A credential for a workload that cannot ask for one itself; raises as :func:`issue_x509_svid` does."""
    chain = issue_x509_svid(issuer, spiffe_id, key.public_key(), now=now, random=random, lifetime=lifetime)
    return Credential(key, chain)
