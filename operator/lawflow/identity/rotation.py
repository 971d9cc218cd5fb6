"""When a certificate is replaced: at half its life, a little earlier or later so that not all come at once."""

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import Chain, same_public_key
from lawflow.identity.validity import rfc3339
from lawflow.identity.verdict import Verdict
from lawflow.identity.x509_svid import X509SvidError, alternative_names, verify_chain


class Freshness(StrEnum):
    """How far a certificate is through its life."""

    FRESH = "Fresh"
    DUE = "RenewalDue"
    OVERDUE = "RenewalOverdue"
    EXPIRED = "Expired"


@dataclass(frozen=True)
class RenewalPolicy:
    """Fractions of a certificate's life."""

    renew: float = 0.5
    jitter: float = 0.1
    """Spread around ``renew``, as a fraction of it: 0.1 means 45 to 55 % of the life, as SPIRE does."""
    overdue: float = 0.75
    """From here on a renewal has failed for long enough that somebody must look."""

    def __post_init__(self) -> None:
        latest = self.renew * (1 + self.jitter)
        if not (self.renew > 0 and 0 <= self.jitter < 1 and latest < self.overdue < 1):
            raise ValueError(
                f"renewal at {self.renew} ± {self.jitter:.0%} and overdue at {self.overdue} of a life are out of "
                "order: set 0 < renew < overdue < 1 with room for the jitter"
            )


DEFAULT_POLICY = RenewalPolicy()


def renewal_time(certificate: x509.Certificate, policy: RenewalPolicy = DEFAULT_POLICY) -> dt.datetime:
    """When to replace a certificate.

    The jitter comes from the serial number, which is random: replicas and restarts agree on it without a memory.
    """
    digest = hashlib.sha256(str(certificate.serial_number).encode()).digest()
    spread = int.from_bytes(digest[:8], "big") / 2**63 - 1
    return _moment(certificate, policy.renew * (1 + policy.jitter * spread))


def overdue_time(certificate: x509.Certificate, policy: RenewalPolicy = DEFAULT_POLICY) -> dt.datetime:
    """When a certificate that was not replaced becomes an alert."""
    return _moment(certificate, policy.overdue)


def freshness(certificate: x509.Certificate, now: dt.datetime, policy: RenewalPolicy = DEFAULT_POLICY) -> Freshness:
    """How far the certificate is through its life at ``now``."""
    if now >= certificate.not_valid_after_utc:
        return Freshness.EXPIRED
    if now >= overdue_time(certificate, policy):
        return Freshness.OVERDUE
    if now >= renewal_time(certificate, policy):
        return Freshness.DUE
    return Freshness.FRESH


def _moment(certificate: x509.Certificate, fraction: float) -> dt.datetime:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return first + (last - first) * fraction


@dataclass(frozen=True)
class Holding:
    """What is held now and what should be held: the input of every check.

    ``public_key`` is that of the private key beside the chain, None where the key is missing. ``names`` are the
    alternative names that the leaf should have: a SPIFFE id, or a server's DNS names and addresses.
    """

    chain: Chain
    public_key: object | None
    names: frozenset[str]
    bundle: TrustBundle
    now: dt.datetime
    policy: RenewalPolicy = DEFAULT_POLICY


Check = Callable[[Holding], Verdict | None]


def missing(holding: Holding) -> Verdict | None:
    """Nothing is held yet, or half of it is lost."""
    if not holding.chain or holding.public_key is None:
        lost = "certificate" if not holding.chain else "private key"
        return Verdict("Missing", f"there is no {lost}")
    return None


def key_mismatch(holding: Holding) -> Verdict | None:
    """The certificate was made for another key."""
    if not same_public_key(holding.chain[0].public_key(), holding.public_key):
        return Verdict("KeyMismatch", "the certificate does not belong to the private key beside it")
    return None


def names_changed(holding: Holding) -> Verdict | None:
    """The certificate speaks for somebody else."""
    held = alternative_names(holding.chain[0])
    if held != holding.names:
        message = f"the certificate is for {_joined(held)} and should be for {_joined(holding.names)}"
        return Verdict("NamesChanged", message)
    return None


def expired(holding: Holding) -> Verdict | None:
    """Too late."""
    return _aged(holding, Freshness.EXPIRED, "the certificate expired at {expires}")


def untrusted(holding: Holding) -> Verdict | None:
    """No root in the bundle vouches for the certificate: the authority was lost, replaced or restored from old."""
    try:
        verify_chain(holding.chain, holding.bundle, holding.now)
    except X509SvidError as error:
        return Verdict("Untrusted", str(error))
    return None


def overdue(holding: Holding) -> Verdict | None:
    """Renewal has been failing for a quarter of the certificate's life."""
    return _aged(holding, Freshness.OVERDUE, "renewal has failed since {renews}; the certificate expires at {expires}")


def due(holding: Holding) -> Verdict | None:
    """The ordinary case."""
    return _aged(holding, Freshness.DUE, "renewal was due at {renews}; the certificate expires at {expires}")


RENEWAL_CHECKS: tuple[Check, ...] = (missing, key_mismatch, names_changed, expired, untrusted, overdue, due)
"""In order: what the first says is why the certificate is replaced."""


def renewal_reason(holding: Holding, checks: Sequence[Check] = RENEWAL_CHECKS) -> Verdict | None:
    """Why what is held must be replaced now, or None if it need not be."""
    return next((verdict for check in checks if (verdict := check(holding)) is not None), None)


def _aged(holding: Holding, state: Freshness, message: str) -> Verdict | None:
    leaf = holding.chain[0]
    if freshness(leaf, holding.now, holding.policy) is not state:
        return None
    renews, expires = renewal_time(leaf, holding.policy), leaf.not_valid_after_utc
    return Verdict(state.value, message.format(renews=rfc3339(renews), expires=rfc3339(expires)))


def _joined(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"
