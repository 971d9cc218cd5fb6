"""Break-glass: an annotation that the gate let through becomes a grant that runs out. Pure."""

import datetime as dt
from collections.abc import Iterable, Mapping

from lawflow.identity.validity import rfc3339
from lawflow.model import labels
from lawflow.store.protocol import Object

MAXIMUM_GRANTS = 100
UNKNOWN_USER = "unknown; the API server's audit log names the user"

Grants = dict[str, Object]
"""Grants in the form of the FlowIndex, by KIND/NAME of the workload."""


def grants(
    workloads: Iterable[Object], index: Mapping[str, Grants], lifetime: dt.timedelta, now: dt.datetime
) -> tuple[Grants, Grants]:
    """The grants in force and those that have run out, from the workloads that ask and the index as it was.

    A grant begins when it is first seen. It is used up for as long as its annotation stays the same: only another
    reason asks anew.
    """
    known = {**(index.get("expiredGrants") or {}), **(index.get("grants") or {})}
    in_force: Grants = {}
    expired: Grants = {}
    for workload in workloads:
        annotations = workload["metadata"].get("annotations") or {}
        reason = annotations.get(labels.BREAK_GLASS, "").strip()[:512]
        if not reason:
            continue
        key = f"{workload['kind']}/{workload['metadata']['name']}"
        before = known.get(key)
        if before is None or before["reason"] != reason:
            user = annotations.get(labels.BREAK_GLASS_USER, UNKNOWN_USER)[:256]
            before = {"reason": reason, "user": user, "expires": rfc3339(now + lifetime)}
        held = in_force if expiry(before) > now else expired
        if len(held) < MAXIMUM_GRANTS:
            held[key] = before
    return in_force, expired


def expiry(grant: Object) -> dt.datetime:
    """When a grant runs out."""
    return dt.datetime.fromisoformat(grant["expires"])


def told(key: str, grant: Object) -> str:
    """A grant in one line, for status and events."""
    return f"{key} by {grant['user']} until {grant['expires']}: {grant['reason']}"
