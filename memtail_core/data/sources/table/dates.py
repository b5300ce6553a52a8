"""Reads words as dates, times of day and durations, and turns them into numbers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

_DAY = 86_400
_CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S")
_ORDERS = (  # beside ISO 8601: a pattern, and the ways to read it
    (r"^\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"^\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    (r"^\d{1,2}/\d{1,2}/\d{4}", ("%d/%m/%Y", "%m/%d/%Y")),
    (r"^\d{1,2}-\d{1,2}-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
)
_CLOCK = r"([ T]\d{1,2}:\d{2}(:\d{2})?)?$"
DAYS = "a date, as days since 1970-01-01"
SECONDS = "a time, in seconds"


@dataclass(frozen=True)
class Dates:
    """k words read as dates: float64 [k], and how they were read.

    ``is_unclear``: the words are dates in two ways, as 01/02/2024 is.
    """

    values: NDArray[np.float64]
    note: str
    is_unclear: bool = False


def read(words: Any) -> Dates | None:
    """Read stripped words as ISO dates or times, or as another order of day, month and year."""
    for kind in (
        *(pyarrow.timestamp(unit) for unit in ("us", "ns")),
        *(pyarrow.timestamp(unit, "UTC") for unit in ("us", "ns")),
    ):
        try:
            return Dates(*numbers(pc.cast(words, kind)))
        except pyarrow.ArrowException:
            continue
    if pc.all(pc.match_substring_regex(words, r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$")).as_py():
        parts = [[int(part) for part in word.split(":")] for word in words.to_pylist()]
        seconds = [h * 3600 + m * 60 + sum(s) for h, m, *s in parts]
        return Dates(np.array(seconds, dtype=np.float64), SECONDS)
    for pattern, orders in _ORDERS:
        if pc.all(pc.match_substring_regex(words, pattern + _CLOCK)).as_py():
            readings = [days for order in orders if (days := _parsed(words, order))]
            if not readings:
                return None
            first, *others = readings
            if all(np.array_equal(first.values, other.values) for other in others):
                return first
            return replace(first, is_unclear=True)
    return None


def numbers(column: Any) -> tuple[NDArray[np.float64], str]:
    """Return dates as days since 1970-01-01, times and durations in seconds, and which of both."""
    kind = column.type
    if pyarrow.types.is_date(kind):
        days = column.cast(pyarrow.date32()).cast("int32").fill_null(0)
        return days.to_numpy(zero_copy_only=False).astype(np.float64), DAYS
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    ticks = column.cast("int32" if pyarrow.types.is_time32(kind) else "int64")
    values = ticks.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
    if pyarrow.types.is_timestamp(kind):
        return values / (_DAY * per_second), DAYS
    return values / per_second, SECONDS


def is_date(kind: Any) -> bool:
    """Whether Arrow's type ``kind`` is a date, a time or a duration."""
    return bool(pyarrow.types.is_temporal(kind) and not pyarrow.types.is_interval(kind))


def _parsed(words: Any, order: str) -> Dates | None:
    """Read all words in this order of day, month and year, with or without a time of day."""
    values = np.full(len(words), np.nan)
    for clock in _CLOCKS:
        each = pc.strptime(words, format=order + clock, unit="s", error_is_null=True)
        found = ~each.is_null().to_numpy(zero_copy_only=False)
        values[found] = numbers(each)[0][found]
    if np.isnan(values).any():
        return None
    return Dates(values, f"{DAYS}, written as {_IN_WORDS[order]}")


_IN_WORDS = {
    "%Y/%m/%d": "year/month/day",
    "%d.%m.%Y": "day.month.year",
    "%d/%m/%Y": "day/month/year",
    "%m/%d/%Y": "month/day/year",
    "%d-%m-%Y": "day-month-year",
    "%m-%d-%Y": "month-day-year",
}
