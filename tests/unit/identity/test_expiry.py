import datetime as dt
import random

import pytest
from cryptography import x509

from lawflow.identity.authority import CertificateAuthority, issue_x509_svid
from lawflow.identity.expiry import expiry_notice
from lawflow.identity.pem import PrivateKey
from lawflow.identity.rotation import overdue_time, renewal_time
from lawflow.identity.spiffe import SpiffeId

pytestmark = pytest.mark.unit


@pytest.fixture
def leaf(issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime) -> x509.Certificate:
    return issue_x509_svid(issuer, orders, key.public_key(), now=now, random=random.Random(5).randbytes)[0]


def test_a_fresh_certificate_is_ready_and_raises_no_event(leaf: x509.Certificate, now: dt.datetime) -> None:
    notice = expiry_notice("orders", leaf, now)
    assert (notice.status, notice.reason, notice.event) == ("True", "Fresh", None)


def test_an_ordinary_renewal_is_no_warning(leaf: x509.Certificate) -> None:
    notice = expiry_notice("orders", leaf, renewal_time(leaf))
    assert (notice.status, notice.reason, notice.event) == ("True", "RenewalDue", None)


def test_a_failed_renewal_warns_at_once_and_says_why(leaf: x509.Certificate) -> None:
    notice = expiry_notice("orders", leaf, renewal_time(leaf), failure="the API server refused the Secret")
    assert (notice.status, notice.reason, notice.event) == ("True", "RenewalFailing", "Warning")
    assert notice.message.endswith("works until 2026-03-01T12:59:00Z: the API server refused the Secret")


def test_an_overdue_certificate_is_not_ready_while_it_still_works(leaf: x509.Certificate) -> None:
    notice = expiry_notice("orders", leaf, overdue_time(leaf), failure="timeout")
    assert (notice.status, notice.reason, notice.event) == ("False", "RenewalOverdue", "Warning")
    assert "stops working at 2026-03-01T12:59:00Z: timeout" in notice.message
    assert notice.seconds_left == 900


def test_an_expired_certificate_says_so(leaf: x509.Certificate) -> None:
    notice = expiry_notice("orders", leaf, leaf.not_valid_after_utc + dt.timedelta(seconds=30))
    assert (notice.status, notice.reason, notice.event) == ("False", "Expired", "Warning")
    assert notice.seconds_left == -30


def test_the_gauges_are_seconds_since_the_epoch(leaf: x509.Certificate, now: dt.datetime) -> None:
    notice = expiry_notice("orders", leaf, now)
    assert notice.expires_at == leaf.not_valid_after_utc.timestamp()
    assert now.timestamp() < notice.renews_at < notice.expires_at
