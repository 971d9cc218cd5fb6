"""Break-glass is granted once for a reason, for a time, and never by itself again."""

import datetime as dt

import pytest

from lawflow.controller.break_glass import UNKNOWN_USER, grants
from lawflow.model import labels
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
LIFETIME = dt.timedelta(hours=4)


def workload(reason: str | None = "outage", **more: str) -> Object:
    annotations = {labels.BREAK_GLASS: reason, **more} if reason is not None else {}
    return {"kind": "Deployment", "metadata": {"name": "orders", "annotations": annotations}}


def test_an_annotation_becomes_a_grant_from_now_on() -> None:
    in_force, expired = grants([workload(**{labels.BREAK_GLASS_USER: "alice"})], {}, LIFETIME, NOW)
    assert in_force == {"Deployment/orders": {"reason": "outage", "user": "alice", "expires": "2026-07-01T16:00:00Z"}}
    assert expired == {}


def test_a_grant_does_not_grow_by_being_looked_at_again() -> None:
    first, _ = grants([workload()], {}, LIFETIME, NOW)
    again, _ = grants([workload()], {"grants": first}, LIFETIME, NOW + dt.timedelta(hours=1))
    assert again == first
    assert first["Deployment/orders"]["user"] == UNKNOWN_USER


def test_a_grant_that_ran_out_is_not_renewed_while_its_annotation_stands() -> None:
    first, _ = grants([workload()], {}, LIFETIME, NOW)
    end = NOW + LIFETIME
    in_force, expired = grants([workload()], {"grants": first}, LIFETIME, end)
    assert (in_force, expired) == ({}, first)
    assert grants([workload()], {"expiredGrants": expired}, LIFETIME, end + LIFETIME) == ({}, first)


def test_another_reason_asks_anew() -> None:
    _, expired = grants([workload()], {"grants": grants([workload()], {}, LIFETIME, NOW)[0]}, LIFETIME, NOW + LIFETIME)
    in_force, left = grants([workload("again")], {"expiredGrants": expired}, LIFETIME, NOW + LIFETIME)
    assert in_force["Deployment/orders"]["reason"] == "again"
    assert left == {}


@pytest.mark.parametrize("reason", [None, "", "   "])
def test_without_a_reason_nothing_is_granted_and_old_grants_end(reason: str | None) -> None:
    first, _ = grants([workload()], {}, LIFETIME, NOW)
    assert grants([workload(reason)], {"grants": first}, LIFETIME, NOW) == ({}, {})
