import datetime as dt
import random
from dataclasses import replace

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from lawflow.identity.authority import (
    CertificateAuthority,
    create_root,
    issue_serving_certificate,
    issue_x509_svid,
)
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import PrivateKey, certificates_from_pem, certificates_to_pem, new_private_key
from lawflow.identity.rotation import (
    Freshness,
    Holding,
    RenewalPolicy,
    freshness,
    overdue_time,
    renewal_reason,
    renewal_time,
)
from lawflow.identity.spiffe import SpiffeId

pytestmark = pytest.mark.unit

MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LEAF = create_root(
    "example.org",
    key=new_private_key(),
    now=NOW,
    random=random.Random(10).randbytes,
    lifetime=dt.timedelta(hours=1),
).certificate


@pytest.fixture
def holding(
    issuer: CertificateAuthority, bundle: TrustBundle, orders: SpiffeId, key: PrivateKey, now: dt.datetime
) -> Holding:
    chain = issue_x509_svid(issuer, orders, key.public_key(), now=now, random=random.Random(5).randbytes)
    return Holding(chain, key.public_key(), frozenset({str(orders)}), bundle, now)


@pytest.fixture
def leaf(holding: Holding) -> x509.Certificate:
    return holding.chain[0]


def test_a_leaf_is_renewed_at_half_life(leaf: x509.Certificate) -> None:
    exact = RenewalPolicy(jitter=0)
    assert renewal_time(leaf, exact) == leaf.not_valid_before_utc + dt.timedelta(minutes=30)


def test_renewals_spread_over_a_tenth_of_half_life_to_either_side(
    issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime
) -> None:
    source = random.Random(6).randbytes
    leaves = [issue_x509_svid(issuer, orders, key.public_key(), now=now, random=source)[0] for _ in range(300)]
    ages = [(renewal_time(leaf) - leaf.not_valid_before_utc) / MINUTE for leaf in leaves]
    assert 27 <= min(ages) < 27.5
    assert 32.5 < max(ages) <= 33
    assert 29.5 < sum(ages) / len(ages) < 30.5


def test_a_restart_computes_the_same_moment(leaf: x509.Certificate) -> None:
    (again,) = certificates_from_pem(certificates_to_pem([leaf]))
    assert renewal_time(again) == renewal_time(leaf)


@given(st.floats(-0.5, 1.5))
def test_a_leaf_goes_from_fresh_over_due_and_overdue_to_expired(fraction: float) -> None:
    leaf = LEAF
    now = leaf.not_valid_before_utc + (leaf.not_valid_after_utc - leaf.not_valid_before_utc) * fraction
    state = freshness(leaf, now)
    expected = {
        Freshness.FRESH: now < renewal_time(leaf),
        Freshness.DUE: renewal_time(leaf) <= now < overdue_time(leaf),
        Freshness.OVERDUE: overdue_time(leaf) <= now < leaf.not_valid_after_utc,
        Freshness.EXPIRED: leaf.not_valid_after_utc <= now,
    }
    assert [name for name, holds in expected.items() if holds] == [state]


def test_a_fresh_leaf_is_left_alone(holding: Holding) -> None:
    assert renewal_reason(holding) is None


def test_a_due_leaf_is_replaced(holding: Holding, leaf: x509.Certificate) -> None:
    verdict = renewal_reason(replace(holding, now=renewal_time(leaf)))
    assert verdict is not None
    assert verdict[0] == "RenewalDue"
    assert "expires at 2026-03-01T12:59:00Z" in verdict[1]


def test_a_leaf_that_was_not_replaced_becomes_overdue_and_then_expired(
    holding: Holding, leaf: x509.Certificate
) -> None:
    reasons = [
        verdict[0] if (verdict := renewal_reason(replace(holding, now=moment))) else None
        for moment in (overdue_time(leaf), leaf.not_valid_after_utc)
    ]
    assert reasons == ["RenewalOverdue", "Expired"]


def test_what_is_missing_is_made(holding: Holding) -> None:
    assert renewal_reason(replace(holding, chain=())) == ("Missing", "there is no certificate")
    assert renewal_reason(replace(holding, public_key=None)) == ("Missing", "there is no private key")


def test_a_certificate_of_another_key_is_replaced(holding: Holding) -> None:
    verdict = renewal_reason(replace(holding, public_key=new_private_key().public_key()))
    assert verdict is not None
    assert verdict[0] == "KeyMismatch"


def test_a_certificate_of_another_name_is_replaced(holding: Holding) -> None:
    verdict = renewal_reason(replace(holding, names=frozenset({"spiffe://example.org/ns/shop/sa/billing"})))
    assert verdict is not None
    assert verdict[0] == "NamesChanged"
    assert verdict[1].endswith("sa/orders and should be for spiffe://example.org/ns/shop/sa/billing")


def test_a_certificate_whose_root_is_gone_is_replaced(holding: Holding, key: PrivateKey, now: dt.datetime) -> None:
    other = create_root("example.org", key=key, now=now, random=random.Random(8).randbytes)
    verdict = renewal_reason(replace(holding, bundle=TrustBundle("example.org", (other.certificate,))))
    assert verdict is not None
    assert verdict[0] == "Untrusted"


def test_a_serving_certificate_is_judged_by_the_same_checks(
    issuer: CertificateAuthority, holding: Holding, key: PrivateKey, now: dt.datetime
) -> None:
    names = frozenset({"webhook.lawflow.svc"})
    chain = issue_serving_certificate(issuer, names, key.public_key(), now=now, random=random.Random(9).randbytes)
    serving = replace(holding, chain=chain, names=names)
    assert renewal_reason(serving) is None
    verdict = renewal_reason(replace(serving, now=now + dt.timedelta(days=4)))
    assert verdict is not None
    assert verdict[0] == "RenewalDue"


@pytest.mark.parametrize(
    ("renew", "jitter", "overdue"),
    [(0.5, 0.6, 0.75), (0, 0.1, 0.75), (0.8, 0.1, 0.75), (0.5, 0.1, 1), (0.5, -0.1, 0.7)],
)
def test_a_policy_out_of_order_is_refused(renew: float, jitter: float, overdue: float) -> None:
    with pytest.raises(ValueError, match="set 0 < renew < overdue < 1"):
        RenewalPolicy(renew, jitter, overdue)
