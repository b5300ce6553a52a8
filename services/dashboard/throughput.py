"""How fast a study went: models an hour over the last shards, as a chart for its page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from services.pace import KEPT, Stored

_WIDTHS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)  # seconds
_MOST_BARS = 40
_LEAST_BARS = 3
_FILLED = 0.94  # of an interval, by its bar


@dataclass(frozen=True)
class Rates:
    """Models stored in intervals of one width, of which the last ends with the last shard.

    Attributes:
        width: seconds of each interval.
        models_per_hour: of those stored in it, the earliest interval first.
        shards: how many were counted.
    """

    width: int
    models_per_hour: tuple[float, ...]
    shards: int


@dataclass(frozen=True)
class Chart:
    """The rates drawn: an SVG element in the colour of the text around it, of so many shards."""

    svg: str
    shards: int


def rates(stored: Sequence[Stored]) -> Rates | None:
    """Count the models of ``stored`` (the latest first) by when they were stored.

    Only whole intervals are: none from before what is known. None for less than three of them.
    """
    if not stored:
        return None
    last = max(each.when for each in stored)
    if len(stored) < KEPT:
        first = min(each.when - each.seconds for each in stored)
    else:  # of those before, some are forgotten
        first = min(each.when for each in stored)
    # Twice what a shard takes, or bars would tell of when shards end and not of how fast they are.
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
    found = rates(stored)
    return None if found is None else Chart(_svg(found), found.shards)


def _svg(found: Rates) -> str:
    import altair as alt
    import pyarrow as pa

    from memtail_core.drawing import charts as drawing

    n, width = len(found.models_per_hour), found.width
    unit, seconds = _unit(n * width)
    rows = [
        {
            "from": (number - n) * width / seconds,
            "to": (number - n + _FILLED) * width / seconds,
            "models_per_hour": rate,
        }
        for number, rate in enumerate(found.models_per_hour)
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
                scale=alt.Scale(domain=[0, max(1.0, *found.models_per_hour)], nice=True),
                axis=alt.Axis(tickCount=4),
            ),
            y2=alt.datum(0),
        )
    )
    said = f"Models an hour, in intervals of {found.width} seconds: " + ", ".join(
        f"{rate:,.0f}" for rate in found.models_per_hour
    )
    drawn = drawing.figure([chart], pa.Table.from_pylist(rows), said, height=130)
    # The page's policy forbids styles that are written into it.
    return re.sub(r' style="[^"]*"', "", drawing.inline_svg(drawn))


def _unit(seconds: float) -> tuple[str, int]:
    if seconds < 180:
        return "seconds", 1
    if seconds < 3 * 3600:
        return "minutes", 60
    return ("hours", 3600) if seconds < 72 * 3600 else ("days", 86400)
