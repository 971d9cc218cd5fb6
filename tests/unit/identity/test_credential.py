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


def test_a_credential_comes_back_from_its_one_text(credential: Credential) -> None:
    back = Credential.from_pem(credential.to_pem())
    assert back.chain == credential.chain
    assert back.key.private_numbers() == credential.key.private_numbers()


def test_the_text_begins_with_the_key_as_kubelet_writes_it(credential: Credential) -> None:
    assert credential.to_pem().startswith("-----BEGIN PRIVATE KEY-----")
    assert credential.to_pem().count("-----BEGIN CERTIFICATE-----") == 2


def test_a_key_without_its_certificate_is_refused(credential: Credential) -> None:
    with pytest.raises(PemError, match="replace both at once"):
        Credential(new_private_key(), credential.chain)
    with pytest.raises(PemError, match="replace both at once"):
        Credential(credential.key, ())


def test_a_credential_proves_its_identity(
    credential: Credential, bundle: TrustBundle, orders: SpiffeId, now: dt.datetime
) -> None:
    assert verify_x509_svid(credential.chain, bundle, now) == orders
