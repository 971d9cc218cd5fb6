import base64
import datetime as dt
import json
import random
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from lawflow.identity.jwt_svid import (
    MAXIMUM_TOKEN_BYTES,
    JwtSvidError,
    issue_jwt_svid,
    verify_jwt_svid,
)
from lawflow.identity.pem import new_private_key
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.token_key import TokenKey, TokenKeys, key_thumbprint

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
SIGNING = TokenKey(new_private_key(), NOW)
JWKS = TokenKeys((SIGNING,)).jwks()
PEER = "https://api.psp.example"
OWNER = key_thumbprint(new_private_key())


@pytest.fixture
def token(orders: SpiffeId) -> str:
    return issue_jwt_svid(
        SIGNING,
        orders,
        audience=PEER,
        purpose="dpv:PaymentManagement",
        key_thumbprint=OWNER,
        now=NOW,
        random=random.Random(15).randbytes,
    )


def verify(token: str, now: dt.datetime = NOW, **changes: Any) -> Any:
    arguments = {"trust_domain": "example.org", "audience": PEER, "now": now, **changes}
    return verify_jwt_svid(token, arguments.pop("jwks", JWKS), **arguments)


def signed(claims: dict[str, Any], headers: dict[str, Any] | None = None, key: Any = SIGNING.key) -> str:
    return jwt.encode(claims, key, "ES256", headers={"kid": SIGNING.key_id, **(headers or {})})


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_token_proves_who_speaks_to_whom_and_what_for(token: str, orders: SpiffeId) -> None:
    verified = verify(token)
    assert (verified.spiffe_id, verified.audience, verified.purpose) == (orders, PEER, "dpv:PaymentManagement")
    assert verified.key_thumbprint == OWNER


def test_a_token_has_the_claims_that_its_specification_asks_for(token: str) -> None:
    claims = claims_of(token)
    assert claims["sub"] == "spiffe://example.org/ns/shop/sa/orders"
    assert claims["exp"] - claims["iat"] == 300
    assert claims["cnf"] == {"jkt": OWNER}
    assert set(claims) == {"sub", "aud", "iat", "exp", "jti", "purpose", "cnf"}
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "ES256", "kid": SIGNING.key_id, "typ": "JWT"}


def test_any_standard_library_can_check_a_token_with_the_key_set(token: str) -> None:
    (key,) = jwt.PyJWKSet.from_dict(JWKS).keys
    options: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, key, algorithms=["ES256"], audience=PEER, options=options)["sub"]


def test_a_token_lives_five_minutes(token: str) -> None:
    assert verify(token, NOW + dt.timedelta(seconds=299))
    with pytest.raises(JwtSvidError, match="expired 0 s ago: get a new one"):
        verify(token, NOW + dt.timedelta(seconds=300))


def test_a_token_from_the_future_is_refused(token: str) -> None:
    assert verify(token, NOW - dt.timedelta(seconds=59))
    with pytest.raises(JwtSvidError, match="compare the clocks"):
        verify(token, NOW - dt.timedelta(seconds=61))


def test_a_token_for_another_audience_is_refused(token: str) -> None:
    with pytest.raises(JwtSvidError, match="Audience"):
        verify(token, audience="https://other.example")


def test_a_key_set_speaks_for_its_own_trust_domain_only(token: str) -> None:
    with pytest.raises(JwtSvidError, match=r"not in the trust domain evil\.org"):
        verify(token, trust_domain="evil.org")


def test_an_unknown_key_is_refused(token: str) -> None:
    with pytest.raises(JwtSvidError, match="fetch the key set anew"):
        verify(token, jwks={"keys": []})
    with pytest.raises(JwtSvidError, match="fetch the key set anew"):
        verify(jwt.encode(claims_of(token), SIGNING.key, "ES256"), jwks={"keys": [{"kty": "EC"}]})


def test_a_token_signed_with_another_key_is_refused(token: str) -> None:
    with pytest.raises(JwtSvidError, match="Signature"):
        verify(signed(claims_of(token), key=new_private_key()))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_the_algorithm_is_pinned(token: str, algorithm: str) -> None:
    secret = JWKS["keys"][0]["x"] if algorithm == "HS256" else ""
    forged = jwt.encode(claims_of(token), secret, algorithm, headers={"kid": SIGNING.key_id})
    with pytest.raises(JwtSvidError, match="not valid"):
        verify(forged)


def test_a_key_of_another_kind_in_the_key_set_is_not_used(token: str) -> None:
    symmetric = {"kty": "oct", "kid": SIGNING.key_id, "k": "c2VjcmV0"}
    with pytest.raises(JwtSvidError):
        verify(token, jwks={"keys": [symmetric]})
    other_curve = ec.generate_private_key(ec.SECP384R1())
    jwk = {**jwt.algorithms.ECAlgorithm.to_jwk(other_curve.public_key(), as_dict=True), "kid": SIGNING.key_id}
    with pytest.raises(JwtSvidError):
        verify(token, jwks={"keys": [jwk]})


@pytest.mark.parametrize("claim", ["sub", "aud", "exp", "iat", "jti", "purpose", "cnf"])
def test_no_claim_may_be_missing(token: str, claim: str) -> None:
    claims = claims_of(token)
    del claims[claim]
    with pytest.raises(JwtSvidError, match=claim):
        verify(signed(claims))


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("exp", "2099-01-01"),
        ("exp", float("nan")),
        ("exp", True),
        ("exp", 10**30),
        ("iat", None),
        ("sub", 7),
        ("sub", "spiffe://example.org"),
        ("jti", 7),
        ("purpose", ["dpv:Marketing"]),
        ("cnf", None),
        ("cnf", {}),
        ("cnf", {"x5t#S256": "x"}),
        ("cnf", {"jkt": 7}),
        ("cnf", {"jkt": OWNER, "x5t#S256": "x"}),
        ("aud", [1]),
        ("aud", {}),
    ],
)
def test_a_claim_of_the_wrong_kind_is_refused(token: str, claim: str, value: object) -> None:
    with pytest.raises(JwtSvidError):
        verify(_raw({**claims_of(token), claim: value}))


def test_another_type_of_token_is_refused(token: str) -> None:
    with pytest.raises(JwtSvidError, match="typ"):
        verify(signed(claims_of(token), {"typ": "at+jwt"}))


def test_an_oversized_token_is_refused_unread() -> None:
    with pytest.raises(JwtSvidError, match=f"more than {MAXIMUM_TOKEN_BYTES}"):
        verify("a" * (MAXIMUM_TOKEN_BYTES + 1))


@pytest.mark.parametrize(("audience", "purpose"), [("", "dpv:PaymentManagement"), (PEER, "")])
def test_a_token_good_for_anything_is_never_issued(orders: SpiffeId, audience: str, purpose: str) -> None:
    with pytest.raises(JwtSvidError, match="name the peer and the purpose"):
        issue_jwt_svid(SIGNING, orders, audience=audience, purpose=purpose, key_thumbprint=OWNER, now=NOW, random=bytes)


@given(st.text(max_size=200) | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(lambda p: _dotted(*p)))
def test_no_text_raises_anything_but_a_plain_error_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(JwtSvidError) as caught:
        verify(text)
    assert len(text) < 8 or text not in str(caught.value)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]),
        st.one_of(
            st.none(),
            st.integers(),
            st.just("ES256"),
            st.just(SIGNING.key_id),
            st.lists(st.text(max_size=3), max_size=2),
        ),
    )
)
def test_no_header_raises_anything_but_a_plain_error(header: dict[str, Any]) -> None:
    with pytest.raises(JwtSvidError):
        verify(_dotted(json.dumps(header).encode(), b"{}", b"signature"))


def _raw(claims: dict[str, Any]) -> str:
    """Sign claims that PyJWT itself would not write."""
    header = {"alg": "ES256", "kid": SIGNING.key_id, "typ": "JWT"}
    body = _dotted(json.dumps(header).encode(), json.dumps(claims).encode())
    algorithm = jwt.get_algorithm_by_name("ES256")
    return body + "." + base64.urlsafe_b64encode(algorithm.sign(body.encode(), SIGNING.key)).rstrip(b"=").decode()


def _dotted(*parts: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
