import datetime as dt
import json

import pytest

from lawflow.identity.pem import new_private_key
from lawflow.identity.token_key import TokenKeys, TokenKeyTiming, rotate_token_keys

pytestmark = pytest.mark.unit

TIMING = TokenKeyTiming()
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def first(now: dt.datetime) -> TokenKeys:
    return rotate_token_keys(TokenKeys(), now, new_private_key)


def test_the_first_key_signs_at_once(first: TokenKeys, now: dt.datetime) -> None:
    assert first.signing_key(now) == first.keys[0]


def test_without_a_key_nothing_is_signed(now: dt.datetime) -> None:
    with pytest.raises(ValueError, match="rotate the token keys first"):
        TokenKeys().signing_key(now)


def test_nothing_is_made_before_its_time(first: TokenKeys, now: dt.datetime) -> None:
    assert rotate_token_keys(first, now + 22 * 60 * MINUTE, new_private_key) is first


def test_a_key_is_announced_before_it_signs(first: TokenKeys, now: dt.datetime) -> None:
    announced = now + TIMING.signing - TIMING.publication
    keys = rotate_token_keys(first, announced, new_private_key)
    assert len(keys.jwks()["keys"]) == 2
    assert keys.signing_key(announced + TIMING.publication - MINUTE) == first.keys[0]
    assert keys.signing_key(announced + TIMING.publication) == keys.keys[1]


def test_a_key_is_kept_until_its_last_token_has_expired(first: TokenKeys, now: dt.datetime) -> None:
    keys = rotate_token_keys(first, now + TIMING.signing - TIMING.publication, new_private_key)
    superseded = keys.keys[1].signs_from
    assert rotate_token_keys(keys, superseded + 5 * MINUTE, new_private_key) is keys
    assert rotate_token_keys(keys, superseded + 6 * MINUTE, new_private_key).keys == keys.keys[1:]


def test_after_a_long_sleep_the_old_key_signs_until_the_new_one_is_announced(
    first: TokenKeys, now: dt.datetime
) -> None:
    late = now + dt.timedelta(days=30)
    keys = rotate_token_keys(first, late, new_private_key)
    assert keys.signing_key(late) == first.keys[0]
    assert keys.signing_key(late + TIMING.publication) == keys.keys[1]


def test_keys_survive_being_stored(first: TokenKeys) -> None:
    back = TokenKeys.from_json(json.loads(json.dumps(first.to_json())))
    assert back.jwks() == first.jwks()
    assert back.keys[0].signs_from == first.keys[0].signs_from


def test_the_key_set_holds_public_keys_only(first: TokenKeys) -> None:
    (jwk,) = first.jwks()["keys"]
    assert set(jwk) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("EC", "P-256", "ES256", "sig")
