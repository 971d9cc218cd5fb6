"""What to say about a certificate before it bites: a condition, an event and numbers for metrics."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from cryptography import x509

from lawflow.identity.rotation import DEFAULT_POLICY, Freshness, RenewalPolicy, freshness, renewal_time
from lawflow.identity.validity import rfc3339


@dataclass(frozen=True)
class ExpiryNotice:
    """How one certificate stands.

    ``status``, ``reason`` and ``message`` fill a condition such as CredentialsReady; ``event`` is the type of the
    event to record when ``reason`` changes, None where nothing needs saying. The numbers are for gauges: seconds
    since the epoch, and seconds until the certificate expires (negative afterwards).
    """

    freshness: Freshness
    status: Literal["True", "False"]
    reason: str
    message: str
    event: Literal["Normal", "Warning"] | None
    expires_at: float
    renews_at: float
    seconds_left: float


def expiry_notice(
    subject: str,
    certificate: x509.Certificate,
    now: dt.datetime,
    *,
    failure: str = "",
    policy: RenewalPolicy = DEFAULT_POLICY,
) -> ExpiryNotice:
    """Judge the certificate of ``subject``, e.g. ``the issuer`` or a SPIFFE id.

    ``failure`` is the error of the last attempt to renew it, empty if there was none: a certificate that cannot be
    renewed is a warning from the first failure, and not ready once renewal is overdue, while it still works.
    """
    state = freshness(certificate, now, policy)
    expires, renews = certificate.not_valid_after_utc, renewal_time(certificate, policy)
    cause = f": {failure}" if failure else ""
    match state:
        case Freshness.EXPIRED:
            message = f"the certificate of {subject} expired at {rfc3339(expires)} and was not renewed{cause}"
        case Freshness.OVERDUE:
            message = (
                f"the certificate of {subject} should have been renewed at {rfc3339(renews)} and stops working at "
                f"{rfc3339(expires)}{cause}"
            )
        case _ if failure:
            message = f"the certificate of {subject} cannot be renewed and works until {rfc3339(expires)}{cause}"
        case Freshness.DUE:
            message = f"the certificate of {subject} is being renewed; it works until {rfc3339(expires)}"
        case _:
            message = f"the certificate of {subject} works until {rfc3339(expires)}; renewal at {rfc3339(renews)}"
    bites = state in (Freshness.OVERDUE, Freshness.EXPIRED)
    return ExpiryNotice(
        freshness=state,
        status="False" if bites else "True",
        reason="RenewalFailing" if failure and not bites else state.value,
        message=message,
        event="Warning" if bites or failure else None,
        expires_at=expires.timestamp(),
        renews_at=renews.timestamp(),
        seconds_left=(expires - now).total_seconds(),
    )
