import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from lawflow.identity.authority import CertificateAuthority
from lawflow.identity.pem import (
    PemError,
    PrivateKey,
    certificates_from_pem,
    certificates_to_pem,
    fingerprint,
    new_private_key,
    private_key_from_pem,
    private_key_to_pem,
)

pytestmark = pytest.mark.unit


def test_certificates_come_back_in_their_order(root: CertificateAuthority, issuer: CertificateAuthority) -> None:
    chain = (issuer.certificate, root.certificate)
    assert certificates_from_pem(certificates_to_pem(chain)) == chain


def test_a_key_comes_back(key: PrivateKey) -> None:
    assert private_key_from_pem(private_key_to_pem(key)).public_key() == key.public_key()


def test_a_fingerprint_tells_certificates_apart(root: CertificateAuthority, issuer: CertificateAuthority) -> None:
    assert fingerprint(root.certificate) != fingerprint(issuer.certificate)
    assert len(fingerprint(root.certificate)) == 64


@given(st.text())
def test_other_text_is_an_error_that_never_quotes_it(text: str) -> None:
    with pytest.raises(PemError):
        certificates_from_pem(text)
    with pytest.raises(PemError, match=r"^no readable private key: expected an unencrypted PKCS#8 block"):
        private_key_from_pem(text)


def test_a_damaged_certificate_is_an_error(root: CertificateAuthority) -> None:
    text = certificates_to_pem([root.certificate])
    with pytest.raises(PemError, match="no readable certificate"):
        certificates_from_pem(text.replace("MII", "MIB", 1))


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()], ids=["P-384", "secp256k1"])
def test_a_key_on_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    with pytest.raises(PemError, match="P-256"):
        private_key_from_pem(private_key_to_pem(ec.generate_private_key(curve)))


def test_an_encrypted_key_is_refused() -> None:
    text = new_private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    with pytest.raises(PemError, match="unencrypted"):
        private_key_from_pem(text.decode())
