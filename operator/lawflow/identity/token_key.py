"""Keys that sign tokens: published before they sign, and until the last token that they signed has expired."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lawflow.identity.pem import PrivateKey, private_key_from_pem, private_key_to_pem
from lawflow.identity.validity import CLOCK_SKEW, rfc3339

TOKEN_LIFETIME = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class TokenKeyTiming:
    """How long keys are announced, used and kept."""

    publication: dt.timedelta = dt.timedelta(hours=1)
    """For how long a new key is announced before it signs: peers keep copies of the key set."""
    signing: dt.timedelta = dt.timedelta(days=1)
    """For how long a key signs."""
    longest_token: dt.timedelta = TOKEN_LIFETIME


DEFAULT_TIMING = TokenKeyTiming()


@dataclass(frozen=True)
class TokenKey:
    """A key and the moment from which it signs."""

    key: PrivateKey
    signs_from: dt.datetime

    @property
    def key_id(self) -> str:
        """The thumbprint of the public key (RFC 7638), so that a key has one name everywhere."""
        return thumbprint(_public_jwk(self.key))

    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key (RFC 7517)."""
        return {**_public_jwk(self.key), "use": "sig", "alg": "ES256", "kid": self.key_id}


@dataclass(frozen=True)
class TokenKeys:
    """Keys from the oldest to the newest; no key at all until the first rotation."""

    keys: tuple[TokenKey, ...] = ()

    def signing_key(self, now: dt.datetime) -> TokenKey:
        """The newest key that signs by now. Raises ValueError where there is none."""
        signing = [key for key in self.keys if key.signs_from <= now]
        if not signing:
            raise ValueError(f"no key may sign tokens at {rfc3339(now)}: rotate the token keys first")
        return signing[-1]

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JSON Web Key Set (RFC 7517) that peers verify tokens with."""
        return {"keys": [key.jwk() for key in self.keys]}

    def to_json(self) -> list[dict[str, str]]:
        """The keys, private ones, as plain data."""
        return [{"key": private_key_to_pem(key.key), "signsFrom": key.signs_from.isoformat()} for key in self.keys]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> "TokenKeys":
        """Read what :meth:`to_json` wrote. Raises PemError or ValueError."""
        return cls(
            tuple(TokenKey(private_key_from_pem(k["key"]), dt.datetime.fromisoformat(k["signsFrom"])) for k in data)
        )


def rotate_token_keys(
    keys: TokenKeys,
    now: dt.datetime,
    new_key: Callable[[], PrivateKey],
    timing: TokenKeyTiming = DEFAULT_TIMING,
) -> TokenKeys:
    """Announce the next key where it is time, and forget keys whose tokens have all expired.

    It may be called at any time and as often as one likes; ``keys`` itself comes back where nothing is to do.
    """
    held = keys.keys
    if not held:
        return TokenKeys((TokenKey(new_key(), now),))
    needed = timing.longest_token + CLOCK_SKEW
    kept = tuple(key for key, successor in pairwise(held) if now < successor.signs_from + needed) + held[-1:]
    if now >= held[-1].signs_from + timing.signing - timing.publication:
        kept = (*kept, TokenKey(new_key(), now + timing.publication))
    return keys if kept == held else TokenKeys(kept)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The thumbprint of a public key of P-256 (RFC 7638)."""
    needed = {member: jwk[member] for member in ("crv", "kty", "x", "y")}
    return base64url(hashlib.sha256(json.dumps(needed, sort_keys=True, separators=(",", ":")).encode()).digest())


def key_thumbprint(key: PrivateKey) -> str:
    """The same of the public half of a key."""
    return thumbprint(_public_jwk(key))


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _public_jwk(key: PrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
