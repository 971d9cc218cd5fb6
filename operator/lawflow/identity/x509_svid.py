"""Reading an X509-SVID: whose it is, and whether a trust bundle vouches for it (X509-SVID sections 2 to 5)."""

import datetime as dt

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import Chain
from lawflow.identity.spiffe import SpiffeId, SpiffeIdError


class X509SvidError(ValueError):
    """A certificate is no X509-SVID of a workload, or nobody trusted vouches for it."""


def alternative_names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names, addresses and URIs of a certificate as text; empty where it has none."""
    return frozenset(
        str(name.value)
        for name in _alternative_names(certificate)
        if isinstance(name, x509.DNSName | x509.IPAddress | x509.UniformResourceIdentifier)
    )


def spiffe_id_of(certificate: x509.Certificate) -> SpiffeId:
    """The identity in a leaf. It says nothing of trust: see :func:`verify_x509_svid`.

    Raises X509SvidError unless the leaf has the form of an X509-SVID: one URI, no authority, digitalSignature.
    """
    try:
        extensions = certificate.extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise X509SvidError(f"the certificate is no X509-SVID: {error}") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise X509SvidError(f"an X509-SVID carries exactly one URI, this certificate {len(uris)}")
    if usage.key_cert_sign or usage.crl_sign or not usage.digital_signature:
        raise X509SvidError("the key usage of an X509-SVID is digitalSignature, without keyCertSign and cRLSign")
    if any(isinstance(extension.value, x509.BasicConstraints) and extension.value.ca for extension in extensions):
        raise X509SvidError("the certificate is an authority's: present a workload's")
    try:
        return SpiffeId.parse(uris[0])
    except SpiffeIdError as error:
        raise X509SvidError(f"the certificate's id cannot be used: {error}") from None


def verify_chain(chain: Chain, bundle: TrustBundle, now: dt.datetime) -> None:
    """Check that a chain leads from its leaf to a root of the bundle and is valid now (RFC 5280 section 6).

    A leaf without a URI is taken for a server's, which may not act as a client.

    Raises X509SvidError.
    """
    if not chain:
        raise X509SvidError("no certificate was presented")
    policy = PolicyBuilder().store(Store(list(bundle.roots))).time(now)
    names = _alternative_names(chain[0])
    served = [name for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    try:
        if served and not any(isinstance(name, x509.UniformResourceIdentifier) for name in names):
            policy.build_server_verifier(served[0]).verify(chain[0], list(chain[1:]))
        else:
            policy.build_client_verifier().verify(chain[0], list(chain[1:]))
    except VerificationError as error:
        raise X509SvidError(f"the trust bundle does not vouch for the certificate now: {error}") from None


def verify_x509_svid(chain: Chain, bundle: TrustBundle, now: dt.datetime) -> SpiffeId:
    """The identity that a chain proves. Raises X509SvidError."""
    verify_chain(chain, bundle, now)
    spiffe_id = spiffe_id_of(chain[0])
    if spiffe_id.trust_domain != bundle.trust_domain:
        raise X509SvidError(f"{spiffe_id} is not in the trust domain {bundle.trust_domain} of the bundle")
    return spiffe_id


def _alternative_names(certificate: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    try:
        return tuple(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
