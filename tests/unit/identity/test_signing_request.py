import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from hypothesis import example, given
from hypothesis import strategies as st

from lawflow.identity.pem import new_private_key
from lawflow.identity.signing_request import (
    MAXIMUM_REQUEST_BYTES,
    SigningRequestError,
    UnsupportedKeyError,
    public_key_of_request,
)

pytestmark = pytest.mark.unit


def request(key: CertificateIssuerPrivateKeyTypes, hash_algorithm: hashes.SHA256 | hashes.SHA224 | None) -> bytes:
    """An empty request, as kubelet writes it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hash_algorithm).public_bytes(serialization.Encoding.DER)


KEY = new_private_key()
REQUEST = request(KEY, hashes.SHA256())


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=3072),
    ],
    ids=["P-256", "P-384", "RSA 3072"],
)
def test_a_strong_key_is_taken(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    assert public_key_of_request(request(key, hashes.SHA256())) == key.public_key()


@pytest.mark.parametrize(
    ("key", "hash_algorithm"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), hashes.SHA256()),
        (ec.generate_private_key(ec.SECP521R1()), hashes.SHA256()),
        (ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()),
        (ed25519.Ed25519PrivateKey.generate(), None),
        (dsa.generate_private_key(2048), hashes.SHA256()),
    ],
    ids=["RSA 2048", "P-521", "secp256k1", "Ed25519", "DSA"],
)
def test_a_weak_or_unusable_key_is_refused_with_what_to_use(
    key: CertificateIssuerPrivateKeyTypes, hash_algorithm: hashes.SHA256 | None
) -> None:
    with pytest.raises(UnsupportedKeyError, match="use ECDSA on P-256 or P-384"):
        public_key_of_request(request(key, hash_algorithm))


def test_pem_is_read_as_well_as_der() -> None:
    pem = x509.load_der_x509_csr(REQUEST).public_bytes(serialization.Encoding.PEM)
    assert public_key_of_request(pem) == KEY.public_key()


def test_a_request_signed_with_another_key_is_refused() -> None:
    other = request(new_private_key(), hashes.SHA256())
    forged = REQUEST.replace(_point(REQUEST), _point(other))
    with pytest.raises(SigningRequestError, match="does not prove possession"):
        public_key_of_request(forged)


def test_a_weak_hash_proves_nothing() -> None:
    with pytest.raises(SigningRequestError, match="SHA-256"):
        public_key_of_request(request(KEY, hashes.SHA224()))


def test_an_oversized_request_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(SigningRequestError, match="at most"):
        public_key_of_request(b"\x30" * (MAXIMUM_REQUEST_BYTES + 1))


@given(st.binary(max_size=300))
@example(b"")
@example(b"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----")
def test_no_bytes_raise_anything_but_a_plain_error(data: bytes) -> None:
    with pytest.raises(SigningRequestError):
        public_key_of_request(data)


@given(st.integers(0, len(REQUEST) - 1), st.integers(1, 255))
def test_a_damaged_request_is_never_taken(position: int, change: int) -> None:
    damaged = bytearray(REQUEST)
    damaged[position] ^= change
    with pytest.raises(SigningRequestError):
        public_key_of_request(bytes(damaged))


def _point(der: bytes) -> bytes:
    key = x509.load_der_x509_csr(der).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
