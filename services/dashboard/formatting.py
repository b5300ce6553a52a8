"""Numbers, durations and names as the pages show them: filters of the templates."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_SHARD = re.compile(r"(\d{1,12})-(\d{1,12})")


def whole(number: float) -> str:
    """``1,234``."""
    return f"{number:,.0f}"


def percent(share: float, digits: int = 1) -> str:
    """``12.3%``."""
    return f"{share:.{digits}%}"


def length_of_time(seconds: float) -> str:
    """Seconds, minutes, hours or days; the same as lengthOfTime in static/live.js."""
    if seconds < 90:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def iso(when: float) -> str:
    """Seconds since 1970 as ``2026-01-31T12:00:00+00:00``; empty where they are out of range."""
    try:
        return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # workers report it unchecked
        return ""


def models(shard: str) -> str:
    """The models of a shard, by its name: ``0000010-0000020`` → ``10–19``."""
    parts = _SHARD.fullmatch(shard)
    return f"{int(parts[1]):,}–{int(parts[2]) - 1:,}" if parts else shard


FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (whole, percent, length_of_time, iso, models)
}
