"""Proofs that a request was made by the owner of its token (RFC 9449): what a peer outside the mesh verifies."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any

import jwt

from lawflow.identity.jwt_svid import ALGORITHM, MAXIMUM_TOKEN_BYTES, JwtSvid, JwtSvidError
from lawflow.identity.token_key import base64url, thumbprint
from lawflow.identity.validity import CLOCK_SKEW, rfc3339

_REQUIRED = ["jti", "htm", "htu", "iat", "ath"]
MAXIMUM_REMEMBERED = 1_000_000
"""Proofs that are remembered at most: what cannot be remembered cannot be told from a replay, and is refused."""


@dataclass
class Replays:
    """The proofs that a peer has seen, for as long as they would be taken.

    Where several processes answer for the peer they need one memory together.
    """

    maximum: int = MAXIMUM_REMEMBERED
    _until: dict[str, float] = field(default_factory=dict)

    def first(self, proof_id: str, until: float, now: float) -> bool:
        """Whether a proof was never seen before; it is remembered ``until`` then (both in seconds since 1970)."""
        if proof_id in self._until and self._until[proof_id] >= now:
            return False
        if len(self._until) >= self.maximum:
            self._until = {known: end for known, end in self._until.items() if end >= now}
            if len(self._until) >= self.maximum:
                return False
        self._until[proof_id] = until
        return True


def verify_proof(
    proof: str, token: str, said: JwtSvid, *, method: str, url: str, now: dt.datetime, replays: Replays
) -> None:
    """Raise JwtSvidError unless ``proof`` was made for this very request by the owner of ``token``.

    ``said`` is what the verified token says; ``url`` is that of the request, with or without its query.
    """
    if len(proof) > MAXIMUM_TOKEN_BYTES:
        raise JwtSvidError(f"the proof has more than {MAXIMUM_TOKEN_BYTES} characters")
    claims = _signed_claims(proof, said.key_thumbprint)
    if claims["ath"] != base64url(hashlib.sha256(token.encode()).digest()):
        raise JwtSvidError("the proof is for another token")
    if claims["htm"] != method or claims["htu"] != url.partition("#")[0].partition("?")[0]:
        raise JwtSvidError("the proof is for another request")
    issued, proof_id = claims["iat"], claims["jti"]
    if type(issued) is not int or not isinstance(proof_id, str):
        raise JwtSvidError("the proof's iat must be whole seconds since the epoch, and its jti text")
    seconds, skew = now.timestamp(), CLOCK_SKEW.total_seconds()
    if abs(seconds - issued) > skew:
        raise JwtSvidError(f"the proof was not made at {rfc3339(now)}: compare the clocks of the two sides")
    if not replays.first(f"{said.key_thumbprint}/{proof_id}", issued + skew, seconds):
        raise JwtSvidError("the proof was seen before: each request needs one of its own")


def _signed_claims(proof: str, expected: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(proof)
        jwk = header.get("jwk")
        if header.get("typ") != "dpop+jwt" or not isinstance(jwk, dict):
            raise JwtSvidError(
                "the proof's typ must be dpop+jwt, and its header must hold a key (RFC 9449 section 4.2)"
            )
        if any(not isinstance(jwk.get(member), str) for member in ("crv", "kty", "x", "y")) or "d" in jwk:
            raise JwtSvidError("the proof's key must be a public one of P-256")
        if thumbprint(jwk) != expected:
            raise JwtSvidError("the proof is signed with another key than the token is bound to")
        options: Any = {
            "require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False,
        }  # fmt: skip
        return jwt.decode(proof, jwt.PyJWK.from_dict(jwk, ALGORITHM), algorithms=[ALGORITHM], options=options)
    except jwt.PyJWTError as error:
        raise JwtSvidError(f"the proof is not valid: {error}") from None
