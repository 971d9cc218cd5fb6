"""Durations: compared by their mean length, added by the calendar."""

import datetime as dt

import pytest

from lawflow.law.period import days, later

pytestmark = pytest.mark.unit


def test_a_year_is_twelve_months() -> None:
    assert days("P1Y") == days("P12M")


def test_a_week_is_seven_days_and_a_day_24_hours() -> None:
    assert days("P1W") == days("P7D") == days("PT168H")


@pytest.mark.parametrize(
    ("duration", "end"),
    [
        ("P1M", dt.date(2026, 2, 28)),
        ("P1Y", dt.date(2027, 1, 31)),
        ("P1M1D", dt.date(2026, 3, 1)),
        ("P2W", dt.date(2026, 2, 14)),
        ("P99999999Y", dt.date.max),
        ("P99999999999D", dt.date.max),
    ],
)
def test_a_duration_is_added_by_the_calendar(duration: str, end: dt.date) -> None:
    assert later(dt.date(2026, 1, 31), duration) == end
