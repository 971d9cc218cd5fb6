"""Certificates and private keys as text: PEM (RFC 7468), keys as PKCS#8."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Chain = tuple[x509.Certificate, ...]
"""Certificates in the order of a TLS handshake: the leaf first, each signed by the next, the root left out."""
PrivateKey = ec.EllipticCurvePrivateKey
"""The only kind of key that Lawflow makes for itself: ECDSA on P-256."""


class PemError(ValueError):
    """Text that should hold a certificate or a key does not."""


def new_private_key() -> PrivateKey:
    """A fresh P-256 key from the operating system's random source: the one thing here that is not a parameter."""
    return ec.generate_private_key(ec.SECP256R1())


def certificates_to_pem(certificates: Iterable[x509.Certificate]) -> str:
    """Write certificates one after the other."""
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii") for certificate in certificates)


def certificates_from_pem(text: str) -> Chain:
    """Read every certificate in ``text``; blocks of other kinds, such as keys, are passed over.

    Raises PemError if there is none or one cannot be read.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(text.encode()))
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise PemError(f"no readable certificate: {error}; expected blocks of BEGIN CERTIFICATE") from None


def private_key_to_pem(key: PrivateKey) -> str:
    """Write a key as unencrypted PKCS#8. Whoever keeps the text keeps the secret."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def private_key_to_der(key: PrivateKey) -> bytes:
    """The same without PEM around it."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def private_key_from_pem(text: str) -> PrivateKey:
    """Read a P-256 key. Raises PemError, which never quotes the text."""
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PemError("no readable private key: expected an unencrypted PKCS#8 block of BEGIN PRIVATE KEY") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PemError("the private key is not ECDSA on P-256: make one with `openssl ecparam -name prime256v1`")
    return key


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER form in hexadecimal: the name by which a certificate is referred to."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def same_public_key(one: object, other: object) -> bool:
    """Whether two public keys are one."""
    return type(one) is type(other) and one == other
