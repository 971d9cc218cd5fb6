"""Authorities and a clock for the identity tests. Keys are made once: the tests never depend on which they are."""

import datetime as dt
import random
from collections.abc import Callable

import pytest

from lawflow.identity.authority import CertificateAuthority, create_intermediate, create_root
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import PrivateKey, new_private_key
from lawflow.identity.spiffe import SpiffeId

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def now() -> dt.datetime:
    return NOW


@pytest.fixture
def randbytes() -> Callable[[int], bytes]:
    return random.Random(7).randbytes


@pytest.fixture(scope="session")
def root() -> CertificateAuthority:
    return create_root("example.org", key=new_private_key(), now=NOW, random=random.Random(1).randbytes)


@pytest.fixture(scope="session")
def issuer(root: CertificateAuthority) -> CertificateAuthority:
    return create_intermediate(root, key=new_private_key(), now=NOW, random=random.Random(2).randbytes)


@pytest.fixture(scope="session")
def bundle(root: CertificateAuthority) -> TrustBundle:
    return TrustBundle("example.org", (root.certificate,))


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return new_private_key()


@pytest.fixture
def orders() -> SpiffeId:
    return SpiffeId("example.org", "shop", "orders")
