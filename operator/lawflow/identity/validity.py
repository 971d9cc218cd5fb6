"""The time for which a certificate is valid."""

import datetime as dt

from cryptography import x509

CLOCK_SKEW = dt.timedelta(minutes=1)
"""How far clocks may differ; kube-apiserver refuses pod certificates that begin more than five minutes ago."""


class ValidityError(ValueError):
    """No certificate can be valid in this way: the issuer is not, or the times make no sense."""


def rfc3339(moment: dt.datetime) -> str:
    """A moment in UTC to the second, as the Kubernetes API writes it, e.g. 2026-01-31T12:00:00Z."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def validity(
    now: dt.datetime, lifetime: dt.timedelta, issuer: x509.Certificate | None = None
) -> tuple[dt.datetime, dt.datetime]:
    """First and last moment of a certificate issued now, in whole seconds because X.509 knows no fractions.

    ``lifetime`` is the whole validity; a little of it lies in the past to bear clock skew: CLOCK_SKEW, or a tenth
    where that is less, so that a certificate of a few seconds is not born expired. It stays within the issuer's own.

    Raises ValidityError for a naive time, a lifetime under a second, or an issuer that is not valid now.
    """
    if now.tzinfo is None:
        raise ValidityError("the time has no zone: pass an aware datetime, such as datetime.now(UTC)")
    if lifetime < dt.timedelta(seconds=1):
        raise ValidityError(f"a certificate cannot live for {lifetime}: set one second or more")
    first = (now - min(CLOCK_SKEW, lifetime / 10)).astimezone(dt.UTC).replace(microsecond=0)
    last = first + dt.timedelta(seconds=int(lifetime.total_seconds()))
    if issuer is None:
        return first, last
    if not issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc:
        raise ValidityError(
            f"the issuer {issuer.subject.rfc4514_string()} is valid from {rfc3339(issuer.not_valid_before_utc)} to "
            f"{rfc3339(issuer.not_valid_after_utc)} and the time is {rfc3339(now)}: renew the issuer, or correct the "
            "clock"
        )
    return max(first, issuer.not_valid_before_utc), min(last, issuer.not_valid_after_utc)
