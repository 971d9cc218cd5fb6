import datetime as dt
import json
import random
from dataclasses import replace

import pytest

from lawflow.identity.authority import issue_x509_svid
from lawflow.identity.lifecycle import (
    AuthoritySettings,
    AuthorityState,
    AuthorityStateError,
    Sources,
    establish,
    maintain,
)
from lawflow.identity.pem import PrivateKey, fingerprint, new_private_key
from lawflow.identity.rotation import renewal_time
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.verdict import Verdict
from lawflow.identity.x509_svid import verify_x509_svid

pytestmark = pytest.mark.unit

SOURCES = Sources(random.Random(12).randbytes, new_private_key)
SETTINGS = AuthoritySettings()
DAY = dt.timedelta(days=1)


@pytest.fixture
def state(now: dt.datetime) -> AuthorityState:
    return establish("example.org", now, SOURCES, SETTINGS)


def run(state: AuthorityState, now: dt.datetime, replace_root: str = "") -> tuple[AuthorityState, list[str]]:
    """Maintain with every connected sidecar up to date; the state goes through its text, as after a restart."""
    acknowledged = {"orders": state.bundle.version}
    state, verdicts = maintain(state, now, acknowledged, SOURCES, SETTINGS, replace_root=replace_root)
    return AuthorityState.from_text(state.to_text()), [verdict.reason for verdict in verdicts]


def test_a_new_authority_issues_what_its_bundle_vouches_for(
    state: AuthorityState, orders: SpiffeId, key: PrivateKey, now: dt.datetime
) -> None:
    chain = issue_x509_svid(state.issuer, orders, key.public_key(), now=now, random=SOURCES.random)
    assert verify_x509_svid(chain, state.bundle, now) == orders
    assert state.token_keys.signing_key(now)


def test_the_very_same_state_comes_back_where_nothing_is_to_do(state: AuthorityState, now: dt.datetime) -> None:
    kept, verdicts = maintain(state, now, {}, SOURCES, SETTINGS)
    assert kept is state
    assert [verdict.reason for verdict in verdicts] == ["Steady"]


def test_the_state_survives_a_restart(
    state: AuthorityState, orders: SpiffeId, key: PrivateKey, now: dt.datetime
) -> None:
    back = AuthorityState.from_text(state.to_text())
    assert back.to_text() == state.to_text()
    chain = issue_x509_svid(back.issuer, orders, key.public_key(), now=now, random=SOURCES.random)
    assert verify_x509_svid(chain, state.bundle, now) == orders


def test_the_issuer_is_renewed_under_the_same_root(state: AuthorityState) -> None:
    renewed, reasons = run(state, renewal_time(state.issuer.certificate))
    assert reasons == ["IssuerRenewed", "Steady"]
    assert renewed.bundle == state.bundle
    assert renewed.issuer.certificate.not_valid_after_utc > state.issuer.certificate.not_valid_after_utc


def test_an_issuer_whose_root_is_offline_is_reported(state: AuthorityState) -> None:
    offline = replace(state, roots={})
    kept, verdicts = maintain(offline, renewal_time(state.issuer.certificate), {}, SOURCES, SETTINGS)
    assert kept.issuers == offline.issuers
    assert verdicts[0].reason == "RootOffline"
    assert verdicts[0].message.endswith("cannot be renewed without the root's key: put it back")


def test_a_root_is_replaced_at_half_its_life_in_three_steps(
    state: AuthorityState, orders: SpiffeId, key: PrivateKey
) -> None:
    old = fingerprint(state.rotation.issuing)
    moment = renewal_time(state.rotation.issuing)
    state, _ = run(state, moment - DAY)

    state, reasons = run(state, moment)
    assert "RootPublished" in reasons
    assert fingerprint(state.rotation.issuing) == old
    leaf_before = issue_x509_svid(state.issuer, orders, key.public_key(), now=moment, random=SOURCES.random)

    state, reasons = run(state, moment + DAY)
    assert "IssuerSwitched" in reasons
    assert fingerprint(state.rotation.issuing) != old
    assert old not in state.roots
    later = moment + dt.timedelta(minutes=30)
    leaf_after = issue_x509_svid(state.issuer, orders, key.public_key(), now=moment + DAY, random=SOURCES.random)
    assert verify_x509_svid(leaf_before, state.bundle, later) == orders
    assert verify_x509_svid(leaf_after, state.bundle, moment + DAY) == orders

    state, reasons = run(state, moment + 9 * DAY)
    assert "RootDropped" in reasons
    assert len(state.bundle.roots) == 1


def test_a_root_can_be_replaced_on_demand_once(state: AuthorityState, now: dt.datetime) -> None:
    old = fingerprint(state.rotation.issuing)
    state, reasons = run(state, now, old)
    assert reasons == ["RootPublished", "WaitingForPublication"]
    state, reasons = run(state, now + DAY, old)
    assert reasons == ["IssuerSwitched"]
    state, reasons = run(state, now + 2 * DAY, old)
    assert reasons == ["WaitingForExpiry"]


def test_an_authority_that_slept_through_everything_recovers(
    state: AuthorityState, orders: SpiffeId, key: PrivateKey, now: dt.datetime
) -> None:
    late = now + 4000 * DAY
    state, reasons = run(state, late)
    assert reasons == ["RootPublished", "IssuerSwitchedAtExpiry"]
    chain = issue_x509_svid(state.issuer, orders, key.public_key(), now=late, random=SOURCES.random)
    assert verify_x509_svid(chain, state.bundle, late) == orders


def test_verdicts_carry_no_secret(state: AuthorityState) -> None:
    _, verdicts = maintain(state, renewal_time(state.issuer.certificate), None, SOURCES, SETTINGS)
    assert all(isinstance(verdict, Verdict) and "KEY" not in verdict.message for verdict in verdicts)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: "",
        lambda data: "[]",
        lambda data: "{}",
        lambda data: json.dumps({**data, "version": 2}),
        lambda data: json.dumps({**data, "rotation": {}}),
        lambda data: json.dumps({**data, "rotation": None}),
        lambda data: json.dumps({**data, "issuers": {}}),
        lambda data: json.dumps({**data, "roots": [1]}),
        lambda data: json.dumps({**data, "tokenKeys": [{"key": "x", "signsFrom": "y"}]}),
    ],
)
def test_a_damaged_state_is_refused_without_being_quoted(state: AuthorityState, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(AuthorityStateError, match=r"restore it from a backup|upgrade Lawflow") as caught:
        AuthorityState.from_text(damage(json.loads(state.to_text())))
    assert "PRIVATE" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
