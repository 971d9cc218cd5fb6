"""What sources show hosts outside: tokens of five minutes, each with a key that none but the sidecar holds."""

import base64
import datetime as dt
import json
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lawflow.identity.authority import RandomBytes
from lawflow.identity.jwt_svid import issue_jwt_svid
from lawflow.identity.pem import PrivateKey, new_private_key, private_key_to_der
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.token_key import TOKEN_LIFETIME, TokenKeys, key_thumbprint

RENEWAL_SECONDS = 120
"""How often tokens are made anew. Each has between three and five minutes left at any time."""

_Asked = tuple[str, str, tuple[str, ...]]
_log = logging.getLogger(__name__)


class Credentials:
    """Makes credentials in the form of the sidecar's policy, the same one for all who ask within a step of time."""

    def __init__(
        self,
        keys: Callable[[], TokenKeys],
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        new_key: Callable[[], PrivateKey] = new_private_key,
        random: RandomBytes = secrets.token_bytes,
    ) -> None:
        """``keys`` gives the keys that tokens are signed with."""
        self._keys = keys
        self._clock = clock
        self._new_key = new_key
        self._random = random
        self._step = 0
        self._made: dict[_Asked, dict[str, Any]] = {}

    def __call__(self, source: str, audience: str, purposes: tuple[str, ...]) -> dict[str, Any]:
        """What ``source`` shows ``audience`` for each of ``purposes``. Raises ValueError where no key can sign it."""
        step = int(self._clock().timestamp()) // RENEWAL_SECONDS
        if step != self._step:
            self._step = step
            self._made.clear()
        asked = source, audience, purposes
        if asked not in self._made:
            self._made[asked] = self._make(source, audience, purposes)
        return self._made[asked]

    def _make(self, source: str, audience: str, purposes: tuple[str, ...]) -> dict[str, Any]:
        if not purposes:
            raise ValueError("its token would name no purpose: declare one")
        now, own = self._clock(), self._new_key()
        signing = self._keys().signing_key(now)
        tokens = {
            purpose: issue_jwt_svid(
                signing,
                SpiffeId.parse(source),
                audience=audience,
                purpose=purpose,
                key_thumbprint=key_thumbprint(own),
                now=now,
                random=self._random,
            )
            for purpose in purposes
        }
        return {
            "key": base64.b64encode(private_key_to_der(own)).decode(),
            "expires": int(now.timestamp()) + int(TOKEN_LIFETIME.total_seconds()),
            "tokens": tokens,
        }


def keys_in(file: Path) -> Callable[[], TokenKeys]:
    """The keys as a file holds them now; none while it cannot be read."""

    def keys() -> TokenKeys:
        try:
            return TokenKeys.from_json(json.loads(file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("the keys of tokens cannot be read", extra={"file": str(file), "problem": type(error).__name__})
            return TokenKeys()

    return keys
