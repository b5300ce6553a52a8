"""Numbers as a section prints them: counts, decimals, percentage points, intervals."""

from memtail_core.estimation.paired import Difference

MISSING = "–"


def count(n: int, noun: str) -> str:
    """``1 test example``, ``2 test examples``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def points(value: float | None, digits: int = 2) -> str:
    """A share in percentage points: 0.0132 is ``1.32``."""
    return MISSING if value is None else f"{100 * value:.{digits}f}"


def interval(difference: Difference) -> str:
    """A difference of shares in percentage points, with its interval: ``1.32 [0.84, 1.80]``."""
    return f"{points(difference.mean)} [{points(difference.low)}, {points(difference.high)}]"


def decimal(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where it is missing."""
    return MISSING if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent: 0.123 is ``12.3%``; a dash where it is missing."""
    return MISSING if value is None else f"{value:.{digits}%}"


def memorization_between(low: float, high: float) -> str:
    """Name a group of examples by their memorization."""
    if low == -1:
        return f"memorization below {high:g}"
    return f"memorization {low:g} to {high:g}"
