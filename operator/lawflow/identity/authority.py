"""The certificate authority: a root, an intermediate that issues, and the certificates that it issues.

Key, clock and random bytes are parameters. The forms follow RFC 5280 and X509-SVID.
"""

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lawflow.identity.pem import (
    Chain,
    PrivateKey,
    certificates_from_pem,
    certificates_to_pem,
    private_key_from_pem,
    private_key_to_pem,
    same_public_key,
)
from lawflow.identity.signing_request import PublicKey, accepted_key
from lawflow.identity.spiffe import SpiffeId, trust_domain_id
from lawflow.identity.validity import validity

ROOT_LIFETIME = dt.timedelta(days=3650)
INTERMEDIATE_LIFETIME = dt.timedelta(days=90)
SVID_LIFETIME = dt.timedelta(hours=1)
SERVING_LIFETIME = dt.timedelta(days=7)
"""Longer than a workload's: the admission server must outlive a weekend without its controller."""

RandomBytes = Callable[[int], bytes]
"""A source of random bytes such as ``secrets.token_bytes``."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AuthorityError(ValueError):
    """A certificate cannot be issued: names are missing or foreign, or the authority's parts do not belong together."""


@dataclass(frozen=True)
class CertificateAuthority:
    """A key that signs certificates, and the certificates that lead from it to its root.

    ``chain`` holds the authority's own certificate first and ends below the root: it is what a leaf presents after
    itself. It is empty for a root, which every peer has already.

    Raises AuthorityError if the key is not that of the certificate.
    """

    certificate: x509.Certificate
    key: PrivateKey
    chain: Chain = ()

    def __post_init__(self) -> None:
        if not same_public_key(self.certificate.public_key(), self.key.public_key()):
            raise AuthorityError("the authority's key does not belong to its certificate: restore the pair together")

    @property
    def trust_domain_uri(self) -> str:
        """The SPIFFE id of the trust domain, from the certificate."""
        names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0]

    def to_pem(self) -> dict[str, str]:
        """Certificate, key and chain as PEM, ready for a Secret or a folder."""
        return {
            "certificate": certificates_to_pem([self.certificate]),
            "key": private_key_to_pem(self.key),
            "chain": certificates_to_pem(self.chain),
        }

    @classmethod
    def from_pem(cls, parts: dict[str, str]) -> "CertificateAuthority":
        """Read what :meth:`to_pem` wrote. Raises PemError or AuthorityError."""
        (certificate,) = certificates_from_pem(parts["certificate"])
        chain = certificates_from_pem(parts["chain"]) if parts["chain"] else ()
        return cls(certificate, private_key_from_pem(parts["key"]), chain)


def create_root(
    trust_domain: str,
    *,
    key: PrivateKey,
    now: dt.datetime,
    random: RandomBytes,
    lifetime: dt.timedelta = ROOT_LIFETIME,
) -> CertificateAuthority:
    """A self-signed root for ``trust_domain``; it signs intermediates only (path length 1).

    Raises SpiffeIdError for a malformed trust domain.
    """
    serial = _serial(random)
    name = _authority_name("root", serial)
    builder = _certificate(name, name, key.public_key(), serial, validity(now, lifetime))
    builder = _authority_extensions(builder, key.public_key(), key.public_key(), 1, trust_domain_id(trust_domain))
    return CertificateAuthority(builder.sign(key, hashes.SHA256()), key)


def create_intermediate(
    root: CertificateAuthority,
    *,
    key: PrivateKey,
    now: dt.datetime,
    random: RandomBytes,
    lifetime: dt.timedelta = INTERMEDIATE_LIFETIME,
    permitted_dns: Iterable[str] = (),
) -> CertificateAuthority:
    """An authority that issues leaves only (path length 0), for TLS only, and never outlives its root.

    ``permitted_dns`` bounds the DNS names that it can certify (RFC 5280 section 4.2.1.10). SPIFFE ids get no name
    constraint: rustls and Python's cryptography refuse every chain with a constraint on URIs, and a peer pins the
    whole id anyway.

    Raises ValidityError when the root is not valid at ``now``.
    """
    serial = _serial(random)
    name = _authority_name("issuer", serial)
    window = validity(now, lifetime, root.certificate)
    builder = _certificate(name, root.certificate.subject, key.public_key(), serial, window)
    builder = _authority_extensions(builder, key.public_key(), root.key.public_key(), 0, root.trust_domain_uri)
    builder = builder.add_extension(_TLS_PEER, critical=False)
    if permitted := [x509.DNSName(name) for name in permitted_dns]:
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    certificate = builder.sign(root.key, hashes.SHA256())
    return CertificateAuthority(certificate, key, (certificate, *root.chain))


def issue_x509_svid(
    issuer: CertificateAuthority,
    spiffe_id: SpiffeId,
    public_key: PublicKey,
    *,
    now: dt.datetime,
    random: RandomBytes,
    lifetime: dt.timedelta = SVID_LIFETIME,
    dns_names: Iterable[str] = (),
) -> Chain:
    """The X509-SVID of a workload: exactly one URI, for both ends of TLS, with the chain that it presents.

    The subject is empty, so that no second name can disagree with the id. ``lifetime`` is the whole validity, of
    which a little lies in the past to bear clock skew.

    Raises AuthorityError when the issuer serves another trust domain, ValidityError when it is not valid at ``now``,
    UnsupportedKeyError when the key is not acceptable.
    """
    if issuer.trust_domain_uri != trust_domain_id(spiffe_id.trust_domain):
        raise AuthorityError(
            f"{spiffe_id} is not in the trust domain {issuer.trust_domain_uri} of the issuer: set one trust domain "
            "for both"
        )
    names = [x509.UniformResourceIdentifier(str(spiffe_id)), *map(x509.DNSName, dns_names)]
    window = validity(now, lifetime, issuer.certificate)
    return _leaf(issuer, names, _TLS_PEER, accepted_key(public_key), window, random)


def issue_serving_certificate(
    issuer: CertificateAuthority,
    dns_names: Iterable[str],
    public_key: PublicKey,
    *,
    now: dt.datetime,
    random: RandomBytes,
    lifetime: dt.timedelta = SERVING_LIFETIME,
    addresses: Iterable[Address] = (),
) -> Chain:
    """A server's certificate for DNS names and addresses, for clients that know no SPIFFE, such as kube-apiserver.

    Raises AuthorityError when no name is given, ValidityError and UnsupportedKeyError as above.
    """
    names: list[x509.GeneralName] = [*map(x509.DNSName, dns_names), *map(x509.IPAddress, addresses)]
    if not names:
        raise AuthorityError("a serving certificate needs a name: give the DNS names or addresses of the server")
    window = validity(now, lifetime, issuer.certificate)
    return _leaf(issuer, names, _TLS_SERVER, accepted_key(public_key), window, random)


_TLS_PEER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
_TLS_SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def _serial(random: RandomBytes) -> int:
    """159 random bits: RFC 5280 section 4.1.2.2 wants a positive number of at most 20 octets."""
    return int.from_bytes(random(20), "big") >> 1 or 1


def _authority_name(role: str, serial: int) -> x509.Name:
    # Overlapping authorities must differ in name: some verifiers look issuers up by name alone.
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lawflow"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Lawflow {role} {serial:040x}"),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, serial: int, window: tuple[dt.datetime, dt.datetime]
) -> x509.CertificateBuilder:
    first, last = window
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(first)
        .not_valid_after(last)
    )


def _authority_extensions(
    builder: x509.CertificateBuilder, key: PublicKey, signer: PublicKey, path_length: int, trust_domain_uri: str
) -> x509.CertificateBuilder:
    name = x509.UniformResourceIdentifier(trust_domain_uri)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
    )


def _leaf(
    issuer: CertificateAuthority,
    names: Iterable[x509.GeneralName],
    usage: x509.ExtendedKeyUsage,
    key: PublicKey,
    window: tuple[dt.datetime, dt.datetime],
    random: RandomBytes,
) -> Chain:
    builder = _certificate(x509.Name([]), issuer.certificate.subject, key, _serial(random), window)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(usage, critical=False)
        # Critical because the subject is empty (RFC 5280 section 4.2.1.6).
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    return (builder.sign(issuer.key, hashes.SHA256()), *issuer.chain)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
