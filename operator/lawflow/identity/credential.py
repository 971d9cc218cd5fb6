"""What a workload holds: a private key and the certificates that prove whose it is."""

import datetime as dt
from dataclasses import dataclass

from lawflow.identity.authority import SVID_LIFETIME, CertificateAuthority, RandomBytes, issue_x509_svid
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

    def to_pem(self) -> str:
        """One text with the key first and the chain behind it, as kubelet writes a credential bundle.

        One file is replaced in one step, so that no reader ever sees a key without its certificate.
        """
        return private_key_to_pem(self.key) + certificates_to_pem(self.chain)

    @classmethod
    def from_pem(cls, text: str) -> "Credential":
        """Read what :meth:`to_pem` or kubelet wrote. Raises PemError."""
        return cls(private_key_from_pem(text), certificates_from_pem(text))


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
