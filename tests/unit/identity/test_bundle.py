import datetime as dt
import random

import pytest

from lawflow.identity.authority import CertificateAuthority, create_root
from lawflow.identity.bundle import BundleError, TrustBundle
from lawflow.identity.pem import PrivateKey

pytestmark = pytest.mark.unit


@pytest.fixture
def second(key: PrivateKey, now: dt.datetime) -> CertificateAuthority:
    return create_root("example.org", key=key, now=now, random=random.Random(3).randbytes)


def test_order_and_repetition_of_roots_do_not_matter(root: CertificateAuthority, second: CertificateAuthority) -> None:
    one, two = root.certificate, second.certificate
    assert TrustBundle("example.org", (one, two)) == TrustBundle("example.org", (two, one, two))


def test_a_version_names_the_roots(root: CertificateAuthority, second: CertificateAuthority) -> None:
    alone = TrustBundle("example.org", (root.certificate,))
    both = TrustBundle("example.org", (root.certificate, second.certificate))
    assert alone.version == TrustBundle("example.org", (root.certificate,)).version
    assert alone.version != both.version


def test_a_bundle_comes_back_from_its_text(root: CertificateAuthority, second: CertificateAuthority) -> None:
    bundle = TrustBundle("example.org", (root.certificate, second.certificate))
    assert TrustBundle.from_pem("example.org", bundle.to_pem()) == bundle


def test_an_empty_bundle_is_refused() -> None:
    with pytest.raises(BundleError, match="no root"):
        TrustBundle("example.org", ())
