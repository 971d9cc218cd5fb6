"""The trust bundle: the roots that a trust domain vouches with, more than one while they are rotated."""

import hashlib
from dataclasses import dataclass

from cryptography import x509

from lawflow.identity.pem import certificates_from_pem, certificates_to_pem, fingerprint
from lawflow.identity.spiffe import check_trust_domain


class BundleError(ValueError):
    """A trust bundle cannot vouch for anything as it stands."""


@dataclass(frozen=True)
class TrustBundle:
    """Roots of one trust domain, each once, in an order that depends on nothing but the roots.

    Raises BundleError where there is no root: an empty bundle would trust nobody, and some verifiers then trust all.
    """

    trust_domain: str
    roots: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        check_trust_domain(self.trust_domain)
        if not self.roots:
            raise BundleError(f"the trust bundle of {self.trust_domain} has no root: create or restore the root first")
        roots = {fingerprint(root): root for root in self.roots}
        object.__setattr__(self, "roots", tuple(roots[key] for key in sorted(roots)))

    @property
    def version(self) -> str:
        """A hash of the roots: what a sidecar acknowledges. Equal bundles have equal versions on every replica."""
        return hashlib.sha256("".join(map(fingerprint, self.roots)).encode()).hexdigest()[:32]

    def to_pem(self) -> str:
        """The roots as PEM: the form of ``ca.crt``, of a webhook's caBundle and of Envoy's trusted_ca."""
        return certificates_to_pem(self.roots)

    @classmethod
    def from_pem(cls, trust_domain: str, text: str) -> "TrustBundle":
        """Read roots. Raises PemError where there is none."""
        return cls(trust_domain, certificates_from_pem(text))
