"""The throughput of a study: models per hour over the last shards, as a chart for its page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from services.pace import KEPT, Stored

_WIDTHS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)  # seconds
_MOST_BARS = 40
_LEAST_BARS = 3
_FILLED = 0.94  # the width of a bar, of its interval


@dataclass(frozen=True)
class Rates:
    """Models stored in intervals of equal width; the last interval ends with the last shard.

    Attributes:
        width: seconds of each interval.
        models_per_hour: the rate in each interval, the earliest first.
        shards: how many were counted.
    """

    width: int
    models_per_hour: tuple[float, ...]
    shards: int


@dataclass(frozen=True)
class Chart:
    """A chart of the rates: an SVG element in the colour of the text around it."""

    svg: str
    shards: int


def rates(stored: Sequence[Stored]) -> Rates | None:
    """Count the models of ``stored`` (the latest first) by when they were stored.

    Only whole intervals count. Returns None if there are fewer than three of them.
    """
    if not stored:
        return None
    last = max(each.when for each in stored)
    if len(stored) < KEPT:
        first = min(each.when - each.seconds for each in stored)
    else:  # earlier ones are forgotten
        first = min(each.when for each in stored)
    # At least twice what a shard takes, or the bars would show when shards end, not how fast.
    least = max((last - first) / _MOST_BARS, 2 * median(each.seconds for each in stored))
    width = next((each for each in _WIDTHS if each >= least), _WIDTHS[-1])
    n = int((last - first) // width)
    if not _LEAST_BARS <= n <= _MOST_BARS:
        return None
    counts, shards = [0] * n, 0
    for each in stored:
        back = int((last - each.when) // width)
        if back < n:
            counts[n - 1 - back] += each.models
            shards += 1
    return Rates(width, tuple(3600 * count / width for count in counts), shards)


def chart(stored: Sequence[Stored]) -> Chart | None:
    """Draw the rates of the last shards; None while they are too few."""
    counted = rates(stored)
    return None if counted is None else Chart(_svg(counted), counted.shards)


def _svg(counted: Rates) -> str:
    import altair as alt
    import pyarrow as pa

    from memtail_core.drawing import charts as drawing

    n, width = len(counted.models_per_hour), counted.width
    unit, seconds = _unit(n * width)
    rows = [
        {
            "from": (number - n) * width / seconds,
            "to": (number - n + _FILLED) * width / seconds,
            "models_per_hour": rate,
        }
        for number, rate in enumerate(counted.models_per_hour)
    ]
    chart = (
        alt.Chart(drawing.values(rows))
        .mark_bar(color=drawing.BLUE)
        .encode(
            x=alt.X(
                "from:Q",
                title=f"{unit} before the last shard",
                scale=alt.Scale(domain=[-n * width / seconds, 0]),
                axis=alt.Axis(tickCount=6),
            ),
            x2="to:Q",
            y=alt.Y(
                "models_per_hour:Q",
                title=None,
                scale=alt.Scale(domain=[0, max(1.0, *counted.models_per_hour)], nice=True),
                axis=alt.Axis(tickCount=4),
            ),
            y2=alt.datum(0),
        )
    )
    caption = f"Models per hour, in intervals of {counted.width} seconds: " + ", ".join(
        f"{rate:,.0f}" for rate in counted.models_per_hour
    )
    drawn = drawing.figure([chart], pa.Table.from_pylist(rows), caption, height=130)
    # The content security policy of the page forbids inline styles.
    return re.sub(r' style="[^"]*"', "", drawing.inline_svg(drawn))


def _unit(seconds: float) -> tuple[str, int]:
    if seconds < 180:
        return "seconds", 1
    if seconds < 3 * 3600:
        return "minutes", 60
    return ("hours", 3600) if seconds < 72 * 3600 else ("days", 86400)
