import base64
import datetime as dt
import hashlib
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawflow.identity.jwt_svid import MAXIMUM_TOKEN_BYTES, JwtSvid, JwtSvidError
from lawflow.identity.pem import PrivateKey, new_private_key
from lawflow.identity.proof import Replays, verify_proof
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.token_key import key_thumbprint

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
OWNER = new_private_key()
TOKEN = "a.b.c"
URL = "https://api.psp.example/v1/charges"
SAID = JwtSvid(
    SpiffeId("example.org", "shop", "orders"), "https://api.psp.example", "dpv:PaymentManagement", "1", NOW,
    key_thumbprint(OWNER),
)  # fmt: skip


def claims(**changes: Any) -> dict[str, Any]:
    ath = base64.urlsafe_b64encode(hashlib.sha256(TOKEN.encode()).digest()).rstrip(b"=").decode()
    made = {"jti": "17", "htm": "POST", "htu": URL, "iat": int(NOW.timestamp()), "ath": ath, **changes}
    return {name: value for name, value in made.items() if value is not None}


def public(key: PrivateKey) -> dict[str, Any]:
    return dict(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


def proof(key: PrivateKey = OWNER, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    header = {"typ": "dpop+jwt", "jwk": public(key), **(headers or {})}
    return jwt.encode(claims(**changes), key, "ES256", headers=header)


def verify(proof: str, *, token: str = TOKEN, now: dt.datetime = NOW, **changes: Any) -> None:
    arguments = {"method": "POST", "url": URL, "replays": Replays(), **changes}
    verify_proof(proof, token, SAID, now=now, **arguments)


@pytest.mark.parametrize("url", [URL, URL + "?q=1", URL + "#f"])
def test_the_owner_of_a_token_proves_a_request(url: str) -> None:
    verify(proof(), url=url)


def test_a_proof_counts_once() -> None:
    replays = Replays()
    verify(proof(), replays=replays)
    with pytest.raises(JwtSvidError, match="seen before"):
        verify(proof(), replays=replays)
    verify(proof(jti="18"), replays=replays)


def test_a_proof_that_is_forgotten_is_too_old_by_then() -> None:
    replays = Replays(maximum=1)
    verify(proof(), replays=replays)
    later = NOW + dt.timedelta(seconds=61)
    verify(proof(jti="18", iat=int(later.timestamp())), now=later, replays=replays)
    with pytest.raises(JwtSvidError, match="compare the clocks"):
        verify(proof(), now=later, replays=replays)


def test_what_cannot_be_remembered_is_refused() -> None:
    replays = Replays(maximum=1)
    verify(proof(), replays=replays)
    with pytest.raises(JwtSvidError, match="seen before"):
        verify(proof(jti="18"), replays=replays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"htm": "GET"}, "another request"),
        ({"htu": "https://other.example/v1/charges"}, "another request"),
        ({"ath": "x"}, "another token"),
        ({"iat": int(NOW.timestamp()) + 61}, "compare the clocks"),
        ({"iat": int(NOW.timestamp()) - 61}, "compare the clocks"),
        ({"iat": True}, "whole seconds"),
        ({"jti": None}, "jti"),
        ({"htm": None}, "htm"),
        ({"htu": None}, "htu"),
        ({"ath": None}, "ath"),
    ],
)
def test_a_proof_of_something_else_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(JwtSvidError, match=message):
        verify(proof(**changes))


def test_who_does_not_hold_the_tokens_key_proves_nothing() -> None:
    thief = new_private_key()
    with pytest.raises(JwtSvidError, match="another key"):
        verify(proof(thief))
    with pytest.raises(JwtSvidError, match="Signature"):
        verify(proof(thief, {"jwk": public(OWNER)}))


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "JWT"},
        {"jwk": None},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        {"jwk": {**public(OWNER), "d": "AA"}},
        {"jwk": {**public(OWNER), "crv": "P-384"}},
    ],
)
def test_a_proof_in_another_form_is_refused(headers: dict[str, Any]) -> None:
    with pytest.raises(JwtSvidError):
        verify(proof(headers=headers))


def test_the_algorithm_is_pinned() -> None:
    forged = jwt.encode(claims(), "", "none", headers={"typ": "dpop+jwt", "jwk": public(OWNER)})
    with pytest.raises(JwtSvidError, match="not valid"):
        verify(forged)


def test_an_oversized_proof_is_refused_unread() -> None:
    with pytest.raises(JwtSvidError, match=f"more than {MAXIMUM_TOKEN_BYTES}"):
        verify("a" * (MAXIMUM_TOKEN_BYTES + 1))


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "jwk", "crit", "b64"]),
        st.one_of(st.none(), st.integers(), st.sampled_from(["ES256", "dpop+jwt"]), st.just(public(OWNER))),
    )
)
def test_no_header_raises_anything_but_a_plain_error(header: dict[str, Any]) -> None:
    parts = json.dumps(header).encode(), b"{}", b"signature"
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    with pytest.raises(JwtSvidError) as caught:
        verify(text)
    assert text not in str(caught.value)
