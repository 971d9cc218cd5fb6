"""Replacing a root without anybody noticing, in three steps.

1. The new root is published beside the old one; the old issuer goes on issuing.
2. When every connected sidecar has acknowledged the bundle with both, the issuer under the new root takes over.
3. When every certificate of the old issuer has expired, the old root leaves the bundle.

The state alone says what comes next, so a process that dies between any two steps, or repeats one, does no harm:
load the state, advance it, store it, and act only on what is stored.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from lawflow.identity.authority import SERVING_LIFETIME, SVID_LIFETIME
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import certificates_from_pem, certificates_to_pem, fingerprint
from lawflow.identity.validity import rfc3339
from lawflow.identity.verdict import Verdict


@dataclass(frozen=True)
class RotationTiming:
    """What the steps wait for at least."""

    publication: dt.timedelta = SVID_LIFETIME
    """A new root is published for this long before it is used. A sidecar that was away for longer has neither a
    certificate nor a policy left, so whoever still works has been connected since, and is counted."""
    longest_certificate: dt.timedelta = SERVING_LIFETIME
    """The longest life of a certificate that the issuers issue."""
    stale_issuer: dt.timedelta = dt.timedelta(minutes=10)
    """For how long a replica may go on with the state before the switch."""


DEFAULT_TIMING = RotationTiming()


@dataclass(frozen=True)
class NextRoot:
    """A root that is published and does not issue yet."""

    certificate: x509.Certificate
    published_at: dt.datetime


@dataclass(frozen=True)
class RetiredRoot:
    """A root that issues no more and is trusted until the last certificate under it has expired."""

    certificate: x509.Certificate
    needed_until: dt.datetime


@dataclass(frozen=True)
class RootRotation:
    """Where the rotation stands."""

    trust_domain: str
    issuing: x509.Certificate
    next: NextRoot | None = None
    retired: tuple[RetiredRoot, ...] = ()

    @property
    def bundle(self) -> TrustBundle:
        """Every root to be trusted now."""
        published = (self.next.certificate,) if self.next else ()
        return TrustBundle(
            self.trust_domain, (self.issuing, *published, *(retired.certificate for retired in self.retired))
        )

    def to_json(self) -> dict[str, Any]:
        """The state as plain data; it holds no secret."""
        return {
            "trustDomain": self.trust_domain,
            "issuing": certificates_to_pem([self.issuing]),
            "next": self.next
            and {
                "certificate": certificates_to_pem([self.next.certificate]),
                "publishedAt": self.next.published_at.isoformat(),
            },
            "retired": [
                {"certificate": certificates_to_pem([old.certificate]), "neededUntil": old.needed_until.isoformat()}
                for old in self.retired
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RootRotation":
        """Read what :meth:`to_json` wrote. Raises KeyError, PemError or ValueError."""
        coming = data["next"]
        return cls(
            data["trustDomain"],
            _certificate(data["issuing"]),
            coming and NextRoot(_certificate(coming["certificate"]), dt.datetime.fromisoformat(coming["publishedAt"])),
            tuple(
                RetiredRoot(_certificate(old["certificate"]), dt.datetime.fromisoformat(old["neededUntil"]))
                for old in data["retired"]
            ),
        )


def begin(state: RootRotation, root: x509.Certificate, now: dt.datetime) -> RootRotation:
    """Step 1: publish ``root``. Raises ValueError where another rotation has not switched yet."""
    if state.next is not None:
        raise ValueError(f"root {fingerprint(state.next.certificate)[:16]} is already on its way: let it arrive first")
    return replace(state, next=NextRoot(root, now))


def advance(
    state: RootRotation,
    now: dt.datetime,
    acknowledged: Mapping[str, str] | None,
    *,
    last_expiry: Mapping[str, dt.datetime] | None = None,
    timing: RotationTiming = DEFAULT_TIMING,
) -> tuple[RootRotation, Verdict]:
    """Take the next step if it is time, and say what was done or what is waited for.

    ``acknowledged`` gives for every connected sidecar the version of the bundle that it acknowledged last ("" for
    none); None means that nobody knows, which is waited out. ``last_expiry`` gives, by the root's fingerprint, the
    latest expiry of a certificate that is known to live; it can only lengthen a root's stay.
    """
    expiries = last_expiry or {}
    for old in state.retired:
        if now > max(old.needed_until, expiries.get(fingerprint(old.certificate), old.needed_until)):
            kept = tuple(other for other in state.retired if other is not old)
            message = f"every certificate under root {_short(old.certificate)} has expired; it is trusted no more"
            return replace(state, retired=kept), Verdict("RootDropped", message)
    if state.next is not None:
        return _switch(state, state.next, now, acknowledged, timing)
    if state.retired:
        names = ", ".join(f"{_short(old.certificate)} until {rfc3339(old.needed_until)}" for old in state.retired)
        return state, Verdict("WaitingForExpiry", f"certificates under retired roots still live: {names} at least")
    return state, Verdict("Steady", f"root {_short(state.issuing)} issues and is trusted alone")


def _switch(
    state: RootRotation,
    coming: NextRoot,
    now: dt.datetime,
    acknowledged: Mapping[str, str] | None,
    timing: RotationTiming,
) -> tuple[RootRotation, Verdict]:
    obstacle = _obstacle(state, coming, now, acknowledged, timing)
    # Later the old issuer could issue no certificate of full life, so waiting on would hurt everybody.
    last_chance = state.issuing.not_valid_after_utc - timing.longest_certificate
    if obstacle is not None and now < last_chance:
        return state, obstacle
    needed_until = now + timing.longest_certificate + timing.stale_issuer
    retired = (*state.retired, RetiredRoot(state.issuing, needed_until))
    switched = RootRotation(state.trust_domain, coming.certificate, None, retired)
    message = f"root {_short(coming.certificate)} issues from now on"
    if obstacle is None:
        return switched, Verdict("IssuerSwitched", f"{message}; every connected sidecar trusts it")
    message += f", because root {_short(state.issuing)} is about to expire; some may refuse it: {obstacle.message}"
    return switched, Verdict("IssuerSwitchedAtExpiry", message)


def _obstacle(
    state: RootRotation,
    coming: NextRoot,
    now: dt.datetime,
    acknowledged: Mapping[str, str] | None,
    timing: RotationTiming,
) -> Verdict | None:
    """Why the new root cannot issue yet."""
    ready = coming.published_at + timing.publication
    if now < ready:
        message = f"root {_short(coming.certificate)} is published and waits until {rfc3339(ready)} at least"
        return Verdict("WaitingForPublication", message)
    if acknowledged is None:
        message = "nobody knows which sidecars are connected: bring the xDS server up"
        return Verdict("WaitingForAcknowledgement", message)
    version = state.bundle.version
    behind = sorted(sidecar for sidecar, held in acknowledged.items() if held != version)
    if behind:
        named = ", ".join(behind[:5]) + (", …" if len(behind) > 5 else "")
        count = f"{len(behind)} of {len(acknowledged)}"
        message = (
            f"{count} connected sidecars have not acknowledged the bundle: restart those that stay behind: {named}"
        )
        return Verdict("WaitingForAcknowledgement", message)
    return None


def _certificate(text: str) -> x509.Certificate:
    (certificate,) = certificates_from_pem(text)
    return certificate


def _short(certificate: x509.Certificate) -> str:
    return fingerprint(certificate)[:16]
