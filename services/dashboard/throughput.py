"""How fast a study went: models an hour over the last shards, as a chart for its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.pace import KEPT, Stored

_WIDTHS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)  # seconds
_MOST_BARS = 40
_LEAST_BARS = 3
_BLUE, _INK = "#0072b2", "#2b2b2b"


@dataclass(frozen=True)
class Rates:
    """Models stored in intervals of one width.

    Attributes:
        width: seconds of each interval.
        starts: when each begins, seconds since 1970, ascending.
        models_per_hour: of those stored in it.
        shards: how many were counted.
    """

    width: int
    starts: tuple[float, ...]
    models_per_hour: tuple[float, ...]
    shards: int


@dataclass(frozen=True)
class Chart:
    """The rates drawn: an SVG element in the colour of the text around it, of so many shards."""

    svg: str
    shards: int


def rates(stored: Sequence[Stored], now: float) -> Rates | None:
    """Count the models of ``stored`` (the latest first) by when they were stored.

    Intervals that are not whole are left out: that of ``now``, and the first, before which shards
    may have been forgotten. None for less than three intervals.
    """
    times = [each.when for each in stored if each.when <= now]
    if not times:
        return None
    first, last = min(times), max(times)
    seconds = sorted(each.seconds for each in stored)[len(stored) // 2]
    # Twice what a shard takes, or bars would tell of when shards end and not of how fast they are.
    least = max((last - first) / (_MOST_BARS - 2), min(2 * seconds, (last - first) / 6))
    width = next((each for each in _WIDTHS if each >= least), _WIDTHS[-1])
    begin, end = int(first // width), int(now // width)
    begin += len(stored) >= KEPT  # of the first, some may be forgotten
    end = min(end, int(last // width) + 1)  # what has ended long ago is not followed by zeros
    if end - begin < _LEAST_BARS or end - begin > 2 * _MOST_BARS:
        return None
    counts = dict.fromkeys(range(begin, end), 0)
    for each in stored:
        if (number := int(each.when // width)) in counts:
            counts[number] += each.models
    return Rates(
        width,
        tuple(float(number * width) for number in counts),
        tuple(3600 * n / width for n in counts.values()),
        len(times),
    )


def chart(stored: Sequence[Stored], now: float) -> Chart | None:
    """Draw the rates of the last shards; None while they are too few."""
    found = rates(stored, now)
    return None if found is None else Chart(_svg(found), found.shards)


def _svg(found: Rates) -> str:
    import altair as alt
    import vl_convert

    end = found.starts[-1] + found.width
    unit, seconds = _unit(end - found.starts[0])
    bars = [
        {"from": (start - end) / seconds, "to": (start + found.width - end) / seconds, "rate": rate}
        for start, rate in zip(found.starts, found.models_per_hour, strict=True)
    ]
    said = f"Models an hour, in intervals of {found.width} seconds: " + ", ".join(
        f"{rate:,.0f}" for rate in found.models_per_hour
    )
    chart = (
        alt.Chart(alt.InlineData(values=bars))
        .mark_bar(color=_BLUE)
        .encode(
            x=alt.X(
                "from:Q",
                title=f"{unit} before the last",
                scale=alt.Scale(nice=False),
                axis=alt.Axis(tickCount=6),
            ),
            x2="to:Q",
            y=alt.Y("rate:Q", title="models an hour", axis=alt.Axis(tickCount=4)),
            y2=alt.datum(0),
        )
        .properties(width=520, height=150, description=said)
        .configure(background="transparent", font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            domainColor=_INK,
            tickColor=_INK,
            labelColor=_INK,
            titleColor=_INK,
            titleFontWeight=400,
            labelFontSize=13,
            titleFontSize=13,
        )
        .configure_axisX(grid=False)
        .configure_axisY(gridColor=_INK, gridOpacity=0.15)
    )
    return str(vl_convert.vegalite_to_svg(chart.to_dict())).replace(_INK, "currentColor")


def _unit(seconds: float) -> tuple[str, int]:
    if seconds < 180:
        return "seconds", 1
    if seconds < 3 * 3600:
        return "minutes", 60
    return ("hours", 3600) if seconds < 72 * 3600 else ("days", 86400)
