"""Authorities by which an app believes that its own sidecar is a host outside (``tls: terminate``).

One for each host that apps of a namespace call so, and good for nothing else: its name constraint permits that host
alone (RFC 5280 section 4.2.1.10), and it has nothing to do with the authority of the mesh. Keys are derived from the
secret behind all protection, so that every replica of every process makes the same ones and none is stored; whoever
holds that secret can make them again.
"""

import datetime as dt
import hashlib
import hmac

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lawflow.identity.pem import PrivateKey, certificates_to_pem, private_key_to_pem

SECRET_BYTES = 32
ROOT_VALIDITY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2046, 1, 1, tzinfo=dt.UTC)
"""Apps read their roots once; the life of one that vouches for a single host, to one namespace, may be long."""
LEAF_SPAN = dt.timedelta(days=30)
"""For how long a sidecar presents a certificate before it gets the next one."""
LEAF_MARGIN = dt.timedelta(days=1)
"""How much longer a certificate is valid at either end, for clocks that differ and for sidecars that hear late."""

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the curve P-256 (FIPS 186-5): private keys lie below it."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def app_root(secret: bytes, namespace: str, host: str) -> str:
    """The root that apps of ``namespace`` trust for ``host``, PEM; always the same one.

    Raises ValueError where there is no ``secret`` to derive it from.
    """
    key, name = _root_key(secret, namespace, host), _root_name(namespace, host)
    first, last = ROOT_VALIDITY
    builder = (
        _certificate(name, name, key.public_key(), _serial(secret, "root", namespace, host), first, last)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.NameConstraints([x509.DNSName(host)], None), critical=True)
    )
    return certificates_to_pem([_signed(builder, key)])


def app_certificate(secret: bytes, namespace: str, host: str, now: dt.datetime) -> tuple[str, str]:
    """Certificate and key, PEM, by which sidecars in ``namespace`` are ``host`` to their apps; the same for a month.

    Raises ValueError where there is no ``secret`` to derive them from.
    """
    span = (now - _EPOCH) // LEAF_SPAN
    begin = _EPOCH + span * LEAF_SPAN
    key = _key(secret, "leaf", namespace, host, str(span))
    root = _root_key(secret, namespace, host)
    serial = _serial(secret, "leaf", namespace, host, str(span))
    first, last = begin - LEAF_MARGIN, begin + LEAF_SPAN + LEAF_MARGIN
    builder = (
        _certificate(x509.Name([]), _root_name(namespace, host), key.public_key(), serial, first, last)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
    )
    return certificates_to_pem([_signed(builder, root)]), private_key_to_pem(key)


def _root_key(secret: bytes, namespace: str, host: str) -> PrivateKey:
    return _key(secret, "root", namespace, host)


def _root_name(namespace: str, host: str) -> x509.Name:
    # A common name holds 64 characters; which of several roots is meant is told by their keys.
    name = f"Lawflow for {namespace}: {host}"[:64]
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lawflow"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _derived(secret: bytes, *context: str) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise ValueError("there is no secret to derive keys from")
    return hmac.digest(secret, "\0".join(("lawflow/1", "interception", *context)).encode(), "sha512")


def _key(secret: bytes, *context: str) -> PrivateKey:
    # 512 bits modulo 256: every key is as likely as the others (FIPS 186-5, appendix A.2.1).
    return ec.derive_private_key(1 + int.from_bytes(_derived(secret, "key", *context)) % (_ORDER - 1), ec.SECP256R1())


def _serial(secret: bytes, *context: str) -> int:
    return int.from_bytes(hashlib.sha256(_derived(secret, "serial", *context)).digest()[:19]) or 1


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    first: dt.datetime,
    last: dt.datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(issuer, subject, key, serial, first.replace(tzinfo=None), last.replace(tzinfo=None))


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _signed(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    # Deterministic (RFC 6979): a certificate that is made twice is one.
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
