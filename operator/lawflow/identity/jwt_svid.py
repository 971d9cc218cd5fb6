"""JWT-SVIDs: tokens of five minutes for peers outside the mesh, bound to a key of who presents them.

``cnf`` holds the thumbprint of that key (RFC 9449 section 6.1), and each request comes with a proof that it was made by
who holds the key (:mod:`lawflow.identity.proof`). The form follows JWT-SVID and RFC 7519.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from lawflow.identity.authority import RandomBytes
from lawflow.identity.spiffe import SpiffeId, SpiffeIdError
from lawflow.identity.token_key import TOKEN_LIFETIME, TokenKey, base64url
from lawflow.identity.validity import CLOCK_SKEW, rfc3339

ALGORITHM = "ES256"
"""The one algorithm: a token that names another is refused before its signature is looked at."""
MAXIMUM_TOKEN_BYTES = 8 * 1024
"""Longest token: it travels in a header, and proxies allow few KiB."""
_REQUIRED = ["sub", "aud", "exp", "iat", "jti", "purpose", "cnf"]


class JwtSvidError(ValueError):
    """A token proves nothing here. The message never quotes the token."""


@dataclass(frozen=True)
class JwtSvid:
    """What a verified token says."""

    spiffe_id: SpiffeId
    audience: str
    purpose: str
    token_id: str
    expires: dt.datetime
    key_thumbprint: str
    """The key (RFC 7638) that who presents it has to prove."""


def issue_jwt_svid(
    signing_key: TokenKey,
    spiffe_id: SpiffeId,
    *,
    audience: str,
    purpose: str,
    key_thumbprint: str,
    now: dt.datetime,
    random: RandomBytes,
    lifetime: dt.timedelta = TOKEN_LIFETIME,
) -> str:
    """A token by which ``spiffe_id`` speaks to one ``audience`` for one ``purpose``.

    ``key_thumbprint`` is that of the key which it signs its proofs with.

    Raises JwtSvidError where audience or purpose is empty: such a token would be good for anything.
    """
    if not audience or not purpose:
        raise JwtSvidError("a token needs an audience and a purpose: name the peer and the purpose of the flow")
    issued = int(now.timestamp())
    claims = {
        "sub": str(spiffe_id),
        "aud": audience,
        "iat": issued,
        "exp": issued + int(lifetime.total_seconds()),
        "jti": base64url(random(16)),
        "purpose": purpose,
        "cnf": {"jkt": key_thumbprint},
    }
    return jwt.encode(claims, signing_key.key, ALGORITHM, headers={"kid": signing_key.key_id, "typ": "JWT"})


def verify_jwt_svid(
    token: str,
    jwks: Mapping[str, Any],
    *,
    trust_domain: str,
    audience: str,
    now: dt.datetime,
) -> JwtSvid:
    """What the token says, once it is known to be genuine, current and meant for us.

    ``jwks`` is the key set of ``trust_domain``. Whoever read the token could present it: :func:`verify_proof` tells
    its owner.

    Raises JwtSvidError.
    """
    claims = _signed_claims(token, jwks, audience)
    issued, expires, cnf = claims["iat"], claims["exp"], claims["cnf"]
    if type(issued) is not int or type(expires) is not int:
        raise JwtSvidError("the token's iat and exp must be whole seconds since the epoch")
    seconds = now.timestamp()
    if expires <= seconds:
        raise JwtSvidError(f"the token expired {seconds - expires:.0f} s ago: get a new one")
    if issued > seconds + CLOCK_SKEW.total_seconds():
        raise JwtSvidError(f"the token was issued after {rfc3339(now)}: compare the clocks of the two sides")
    if not isinstance(cnf, dict) or list(cnf) != ["jkt"] or not isinstance(cnf["jkt"], str):
        raise JwtSvidError("the token is bound to no key by cnf.jkt alone (RFC 9449 section 6.1)")
    if not isinstance(claims["purpose"], str) or not isinstance(claims["jti"], str):
        raise JwtSvidError("the token's purpose and jti must be text")
    try:
        spiffe_id = SpiffeId.parse(claims["sub"])
        expiry = dt.datetime.fromtimestamp(expires, dt.UTC)
    except SpiffeIdError as error:
        raise JwtSvidError(f"the token's subject cannot be used: {error}") from None
    except (OverflowError, OSError, ValueError):
        raise JwtSvidError("the token's exp is not a moment in time") from None
    if spiffe_id.trust_domain != trust_domain:
        raise JwtSvidError(f"the token's subject is not in the trust domain {trust_domain} of the key set")
    return JwtSvid(spiffe_id, audience, claims["purpose"], claims["jti"], expiry, cnf["jkt"])


def _signed_claims(token: str, jwks: Mapping[str, Any], audience: str) -> dict[str, Any]:
    if len(token) > MAXIMUM_TOKEN_BYTES:
        raise JwtSvidError(f"the token has more than {MAXIMUM_TOKEN_BYTES} characters")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ", "JWT") not in ("JWT", "JOSE"):
            raise JwtSvidError("the token's typ must be JWT or JOSE (JWT-SVID section 2.3)")
        key = next((key for key in jwks.get("keys", ()) if key.get("kid") == header.get("kid")), None)
        if key is None or not header.get("kid"):
            raise JwtSvidError("the token names no key of the key set: fetch the key set anew")
        # The clock is ours, so the library must not read one.
        options: Any = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        return jwt.decode(
            token, jwt.PyJWK.from_dict(key, ALGORITHM), algorithms=[ALGORITHM], audience=audience, options=options
        )
    except jwt.PyJWTError as error:
        raise JwtSvidError(f"the token is not valid: {error}") from None
