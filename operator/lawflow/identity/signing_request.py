"""Certificate signing requests (PKCS#10, RFC 2986): only the public key is taken from one, never a name."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
"""Kinds of key that Envoy can present and that are worth certifying."""

MAXIMUM_REQUEST_BYTES = 10 * 1024
"""Longest request, as in the Kubernetes API; it also bounds the work of checking one."""
ACCEPTED_KEYS = "ECDSA on P-256 or P-384, RSA of 3072 or 4096 bits"
SUGGESTED_KEY = "ECDSAP256"
"""What to ask for in a podCertificate volume."""


class SigningRequestError(ValueError):
    """A signing request cannot be read, or does not prove that its sender holds the key."""


class UnsupportedKeyError(SigningRequestError):
    """The key is too weak, too slow to check, or of a kind that Envoy does not take."""


def accepted_key(key: object) -> PublicKey:
    """Return ``key`` if a certificate may be made for it. Raises UnsupportedKeyError with what to use instead."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            return key
        raise UnsupportedKeyError(f"the curve {key.curve.name} is not accepted: use {ACCEPTED_KEYS}")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in (3072, 4096):
            return key
        raise UnsupportedKeyError(f"RSA of {key.key_size} bits is not accepted: use {ACCEPTED_KEYS}")
    raise UnsupportedKeyError(f"this kind of key is not accepted: use {ACCEPTED_KEYS}")


def public_key_of_request(request: bytes) -> PublicKey:
    """Read a request (DER or PEM), check that its sender signed it with the key in it, and return that key.

    Raises SigningRequestError, or its kind UnsupportedKeyError.
    """
    if len(request) > MAXIMUM_REQUEST_BYTES:
        raise SigningRequestError(
            f"the signing request has {len(request)} bytes: send a plain PKCS#10 of at most {MAXIMUM_REQUEST_BYTES}"
        )
    try:
        pem = request.lstrip().startswith(b"-----BEGIN")
        parsed = x509.load_pem_x509_csr(request) if pem else x509.load_der_x509_csr(request)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise SigningRequestError("the signing request is not PKCS#10: send it as DER or PEM (RFC 2986)") from None
    try:
        key = accepted_key(parsed.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        if isinstance(error, UnsupportedKeyError):
            raise
        raise UnsupportedKeyError(f"the key in the signing request cannot be read: use {ACCEPTED_KEYS}") from None
    try:
        strong = isinstance(parsed.signature_hash_algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512)
        proven = strong and parsed.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        proven = False
    if not proven:
        raise SigningRequestError(
            "the signature of the signing request does not prove possession of its key: sign it with that key and "
            "SHA-256, SHA-384 or SHA-512"
        )
    return key
