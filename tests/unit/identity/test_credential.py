import datetime as dt
import random

import pytest

from lawflow.identity.authority import CertificateAuthority
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import Credential, issue_credential
from lawflow.identity.pem import PemError, PrivateKey, new_private_key
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.x509_svid import verify_x509_svid

pytestmark = pytest.mark.unit


@pytest.fixture
def credential(issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime) -> Credential:
    return issue_credential(issuer, orders, key=key, now=now, random=random.Random(4).randbytes)


def test_a_credential_comes_back_from_its_files(credential: Credential, bundle: TrustBundle) -> None:
    back = Credential.from_files(credential.to_files(bundle))
    assert back.chain == credential.chain
    assert back.key.private_numbers() == credential.key.private_numbers()


def test_the_files_are_those_that_the_sidecar_reads(credential: Credential, bundle: TrustBundle) -> None:
    files = credential.to_files(bundle)
    assert set(files) == {"tls.crt", "tls.key", "ca.crt"}
    assert files["ca.crt"] == bundle.to_pem()
    assert files["tls.crt"].count("-----BEGIN CERTIFICATE-----") == 2
    assert "PRIVATE" not in files["tls.crt"] + files["ca.crt"]


@pytest.mark.parametrize("file", ["tls.crt", "tls.key"])
def test_a_missing_file_is_an_error(credential: Credential, bundle: TrustBundle, file: str) -> None:
    files = credential.to_files(bundle)
    del files[file]
    with pytest.raises(PemError):
        Credential.from_files(files)


def test_a_key_without_its_certificate_is_refused(credential: Credential) -> None:
    with pytest.raises(PemError, match="replace both at once"):
        Credential(new_private_key(), credential.chain)
    with pytest.raises(PemError, match="replace both at once"):
        Credential(credential.key, ())


def test_a_credential_proves_its_identity(
    credential: Credential, bundle: TrustBundle, orders: SpiffeId, now: dt.datetime
) -> None:
    assert verify_x509_svid(credential.chain, bundle, now) == orders
