"""ISO 8601 durations, compared and added to days."""

import calendar
import datetime as dt
import re
from functools import lru_cache

_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)
_DAYS_PER_MONTH = 146_097 / 4_800  # The mean of the Gregorian calendar, over its cycle of 400 years.


@lru_cache(maxsize=1024)
def days(duration: str) -> float:
    """Mean length of a duration in days, to compare two of them."""
    years, months, weeks, whole_days, hours, minutes, seconds = _parts(duration)
    return (
        (12 * years + months) * _DAYS_PER_MONTH
        + 7 * weeks
        + whole_days
        + (hours * 3600 + minutes * 60 + seconds) / 86_400
    )


@lru_cache(maxsize=1024)
def later(day: dt.date, duration: str) -> dt.date:
    """The day that lies a duration after another, times of day dropped; the last representable one at most."""
    years, months, weeks, whole_days, *_ = _parts(duration)
    position = day.year * 12 + day.month - 1 + 12 * years + months
    year, month = divmod(position, 12)
    if year > dt.MAXYEAR:
        return dt.date.max
    start = dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    ahead = 7 * weeks + whole_days
    return start + dt.timedelta(days=ahead) if ahead <= (dt.date.max - start).days else dt.date.max


def _parts(duration: str) -> list[int]:
    match = _DURATION.fullmatch(duration)
    return [min(int(group or 0), 10**9) for group in match.groups()] if match else [0] * 7
