import datetime as dt
import json
import random
from dataclasses import dataclass

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from lawflow.identity.authority import CertificateAuthority, create_root
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import fingerprint, new_private_key
from lawflow.identity.root_rotation import RootRotation, RotationTiming, advance, begin

pytestmark = pytest.mark.unit

TIMING = RotationTiming(
    publication=dt.timedelta(hours=1), longest_certificate=dt.timedelta(hours=1), stale_issuer=dt.timedelta(minutes=10)
)
HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY = new_private_key()
_random = random.Random(11).randbytes


def make_root(now: dt.datetime = START, lifetime: dt.timedelta = dt.timedelta(days=3650)) -> x509.Certificate:
    return create_root("example.org", key=KEY, now=now, random=_random, lifetime=lifetime).certificate


@pytest.fixture
def steady(root: CertificateAuthority) -> RootRotation:
    return RootRotation("example.org", root.certificate)


@pytest.fixture
def published(steady: RootRotation, now: dt.datetime) -> RootRotation:
    return begin(steady, make_root(now), now)


@pytest.fixture
def switched(published: RootRotation, now: dt.datetime) -> RootRotation:
    state, verdict = advance(published, now + HOUR, {"orders": published.bundle.version}, timing=TIMING)
    assert verdict.reason == "IssuerSwitched"
    return state


def test_without_a_rotation_nothing_happens(steady: RootRotation, now: dt.datetime) -> None:
    state, verdict = advance(steady, now, {"orders": "old"}, timing=TIMING)
    assert state is steady
    assert verdict.reason == "Steady"


def test_a_new_root_is_trusted_before_it_issues(steady: RootRotation, published: RootRotation) -> None:
    assert published.issuing == steady.issuing
    assert len(published.bundle.roots) == 2


def test_a_second_rotation_waits_for_the_first(published: RootRotation, now: dt.datetime) -> None:
    with pytest.raises(ValueError, match="already on its way"):
        begin(published, make_root(), now)


def test_the_issuer_stays_until_the_new_root_was_published_for_a_while(
    published: RootRotation, now: dt.datetime
) -> None:
    state, verdict = advance(published, now + HOUR - dt.timedelta(seconds=1), {}, timing=TIMING)
    assert state is published
    assert verdict.reason == "WaitingForPublication"


def test_the_issuer_stays_while_a_connected_sidecar_lags_and_names_it(
    published: RootRotation, now: dt.datetime
) -> None:
    version = published.bundle.version
    state, verdict = advance(published, now + HOUR, {"orders": version, "billing": "old", "crm": ""}, timing=TIMING)
    assert state is published
    assert verdict.reason == "WaitingForAcknowledgement"
    assert verdict.message.startswith("2 of 3 connected sidecars")
    assert verdict.message.endswith("billing, crm")


def test_the_issuer_stays_while_nobody_knows_who_is_connected(published: RootRotation, now: dt.datetime) -> None:
    state, verdict = advance(published, now + HOUR, None, timing=TIMING)
    assert state is published
    assert verdict.reason == "WaitingForAcknowledgement"


def test_the_issuer_switches_when_all_have_acknowledged(published: RootRotation, switched: RootRotation) -> None:
    assert published.next is not None
    assert switched.issuing == published.next.certificate
    assert switched.next is None
    assert switched.bundle == published.bundle


def test_the_old_root_stays_until_its_last_certificate_has_expired(switched: RootRotation, now: dt.datetime) -> None:
    last = now + HOUR + TIMING.longest_certificate + TIMING.stale_issuer
    state, verdict = advance(switched, last, {}, timing=TIMING)
    assert state is switched
    assert verdict.reason == "WaitingForExpiry"
    state, verdict = advance(switched, last + dt.timedelta(seconds=1), {}, timing=TIMING)
    assert verdict.reason == "RootDropped"
    assert state.bundle.roots == (switched.issuing,)


def test_a_certificate_that_is_known_to_live_keeps_its_root(switched: RootRotation, now: dt.datetime) -> None:
    (old,) = switched.retired
    alive = {fingerprint(old.certificate): now + 10 * HOUR}
    assert advance(switched, now + 9 * HOUR, {}, last_expiry=alive, timing=TIMING)[0] is switched
    assert advance(switched, now + 11 * HOUR, {}, last_expiry=alive, timing=TIMING)[1].reason == "RootDropped"


def test_an_early_expiry_never_shortens_a_roots_stay(switched: RootRotation, now: dt.datetime) -> None:
    (old,) = switched.retired
    past = {fingerprint(old.certificate): now}
    assert advance(switched, now + 2 * HOUR, {}, last_expiry=past, timing=TIMING)[0] is switched


def test_a_root_about_to_expire_is_left_without_waiting_and_says_so(now: dt.datetime) -> None:
    dying = make_root(now, dt.timedelta(hours=3))
    state = begin(RootRotation("example.org", dying), make_root(now), now)
    assert advance(state, now + HOUR, {"crm": ""}, timing=TIMING)[0] is state
    state, verdict = advance(state, now + 2 * HOUR, {"crm": ""}, timing=TIMING)
    assert verdict.reason == "IssuerSwitchedAtExpiry"
    assert verdict.message.endswith("crm")
    assert state.issuing != dying
    assert dying in state.bundle.roots


def test_the_next_rotation_may_begin_while_an_old_root_is_still_trusted(
    switched: RootRotation, now: dt.datetime
) -> None:
    state = begin(switched, make_root(now), now + HOUR)
    assert len(state.bundle.roots) == 3


@pytest.mark.parametrize("stage", ["steady", "published", "switched"])
def test_every_state_survives_being_stored(stage: str, request: pytest.FixtureRequest) -> None:
    state: RootRotation = request.getfixturevalue(stage)
    assert RootRotation.from_json(json.loads(json.dumps(state.to_json()))) == state


@dataclass(frozen=True)
class Interval:
    """A stretch of a cluster's life: what the sidecars do, whether a root is replaced, and if the controller dies."""

    minutes: int
    acknowledging: frozenset[str]
    leaving: frozenset[str]
    replacing: bool
    crashing: bool


sidecars = st.frozensets(st.sampled_from("abc"))
intervals = st.builds(Interval, st.sampled_from([1, 4, 9, 25, 61]), sidecars, sidecars, st.booleans(), st.booleans())


@settings(max_examples=200, deadline=None)
@given(st.lists(intervals, min_size=10, max_size=60))
def test_whatever_happens_nobody_is_cut_off(life: list[Interval]) -> None:
    now = START
    state = RootRotation("example.org", make_root())
    published: dict[str, TrustBundle] = {}
    acknowledged: dict[str, str] = {}
    leaves: list[tuple[x509.Certificate, dt.datetime]] = []
    stale: list[tuple[x509.Certificate, dt.datetime]] = []
    for interval in life:
        if interval.replacing and state.next is None:
            state = begin(state, make_root(now), now)
        published[state.bundle.version] = state.bundle
        acknowledged |= dict.fromkeys(interval.acknowledging, state.bundle.version)
        acknowledged = {name: held for name, held in acknowledged.items() if name not in interval.leaving}
        stale.append((state.issuing, now))
        now += dt.timedelta(minutes=interval.minutes)
        advanced, _ = advance(state, now, acknowledged, timing=TIMING)
        if not interval.crashing:
            state = RootRotation.from_json(json.loads(json.dumps(advanced.to_json())))
            published[state.bundle.version] = state.bundle
        # A replica of the issuer may have missed the switch, but not for longer than the timing allows.
        issuing = {state.issuing, *(root for root, seen in stale if now - seen <= TIMING.stale_issuer)}
        leaves = [leaf for leaf in leaves if leaf[1] > now]
        leaves += [(root, now + TIMING.longest_certificate) for root in issuing]
        assert {root for root, _ in leaves} <= set(state.bundle.roots)
        assert all(state.issuing in published[version].roots for version in acknowledged.values())
