"""Keys for values that leave as others than they are: derived, never stored, another for each purpose and recipient.

One secret of Lawflow's own stands behind all of them. What two recipients hold, or one recipient for two purposes,
cannot be joined by its pseudonyms (Article 4(5)); whoever holds the secret can make every key again.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Usage = Literal["pseudonymize", "encrypt"]

SECRET_NAME = "lawflow-protection"  # noqa: S105 - a name
"""The Secret in Lawflow's own namespace that holds the secret behind all keys."""
SECRET_KEY = "master.key"  # noqa: S105 - a name
MASTER_BYTES = 32
ROTATION_SECONDS = 30 * 86_400
"""How long a key serves. Pseudonyms of two such spans cannot be joined, which bounds what a leaked key tells."""


@dataclass(frozen=True)
class KeyRing:
    """The secret behind all keys, at a moment."""

    master: bytes
    """MASTER_BYTES random bytes; empty where there is none, so that nothing can be derived."""
    epoch: int
    """Number of the span of time that keys serve in."""

    @classmethod
    def at(cls, master: bytes, now: float) -> "KeyRing":
        """The ring at ``now``, in seconds since 1970."""
        return cls(master, int(now) // ROTATION_SECONDS)

    def key(self, usage: Usage, recipient: str, purposes: Iterable[str]) -> dict[str, str]:
        """A key as policies hold it: usage, id and 32 bytes in hexadecimal digits.

        Raises ValueError where there is no secret to derive it from.
        """
        if len(self.master) != MASTER_BYTES:
            raise ValueError("there is no secret to derive keys from")
        context = "\0".join(("lawflow/1", usage, str(self.epoch), recipient, *sorted(purposes)))
        return {
            "usage": usage,
            "id": f"{self.epoch}",
            "secret": hmac.digest(self.master, context.encode(), "sha256").hex(),
        }
