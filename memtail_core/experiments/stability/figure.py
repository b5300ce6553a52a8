"""Figures of stability: agreement of halves at each threshold, and as the halves grow."""

from typing import Any

import altair as alt

from memtail_core.drawing.axes import ticks
from memtail_core.drawing.charts import BLUE, INK, ORANGE, Figure, figure, values
from memtail_core.drawing.lines import SHARE, Point, lines, table
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.stability.result import Stability

NAMES = {
    "memorized": "memorized examples",
    "pairs": "high-influence pairs",
    "correlation": "memorization (correlation)",
}
_COLOURS = dict(zip(NAMES.values(), (BLUE, ORANGE, INK), strict=True))
_CAPTION = (
    "How well two halves of the models agree on the memorized examples and on the high-influence "
    "pairs (Jaccard index) at each threshold: mean and standard deviation over splits."
)
_GROWTH = (
    "How agreement grows with the number of models in each half. Dots are measured (mean and "
    "standard deviation over splits), dashed lines are the fitted law, the dotted line is the "
    "agreement you asked for."
)


def figures(result: Stability) -> dict[str, CaptionedFigure]:
    """Draw agreement over thresholds, and over the number of models, where it is known."""
    made = {}
    if points := _points_by_threshold(result):
        made[result.name] = CaptionedFigure(_by_threshold(result, points), _CAPTION)
    if points := _points_by_size(result):
        made[f"{result.name}-growth"] = CaptionedFigure(_by_size(result, points), _GROWTH)
    return made


def _points_by_threshold(result: Stability) -> list[Point]:
    return [
        Point(
            NAMES[name],
            at.threshold,
            at.jaccard,
            f"{NAMES[name]} from {at.threshold:g}: {at.jaccard:.2f}",
            at.spread,
        )
        for name, each in (("memorized", result.memorized), ("pairs", result.pairs))
        for at in each
        if at.jaccard is not None
    ]


def _by_threshold(result: Stability, points: list[Point]) -> Figure:
    layers = lines(
        points,
        alt.X("x:Q", title="threshold of memorization, or influence", scale=alt.Scale(zero=True)),
        alt.Y("y:Q", title=f"Jaccard, halves of {result.growth[0].sizes[-1]:,}", scale=SHARE),
        {name: _COLOURS[name] for name in list(NAMES.values())[:2]},
    )
    data = table(points, x="threshold", y="jaccard")
    return figure(layers, data, _CAPTION)


def _points_by_size(result: Stability) -> list[Point]:
    return [
        Point(
            NAMES[growth.name],
            size,
            value,
            f"{NAMES[growth.name]}, {size:,} models: {value:.2f}",
            s,
        )
        for growth in result.growth
        if growth.name in NAMES
        for size, value, s in zip(growth.sizes, growth.values, growth.spreads, strict=True)
        if value is not None
    ]


def _by_size(result: Stability, points: list[Point]) -> Figure:
    law: list[dict[str, Any]] = [
        {"x": trials, "y": value, "of": NAMES[growth.name]}
        for growth in result.growth
        if growth.name in NAMES
        for trials, value in growth.law
    ]
    sizes = [point.x for point in points] + [row["x"] for row in law]
    span = [min(sizes) / 1.1, max(sizes) * 1.1]
    x = alt.X(
        "x:Q",
        title="models in each half (log scale)",
        scale=alt.Scale(type="log", domain=span, nice=False),
        axis=alt.Axis(values=ticks(*span), format=",d"),
    )
    y = alt.Y("y:Q", title="agreement", scale=SHARE)
    fitted = (
        alt.Chart(values(law))
        .mark_line(strokeDash=[5, 3], strokeWidth=1.2, aria=False)
        .encode(x=x, y=y, color="of:N")
    )
    wanted = alt.Chart(values([{"y": result.wanted, "tooltip": f"wanted: {result.wanted:g}"}]))
    layers = [
        wanted.mark_rule(strokeDash=[1, 3]).encode(
            y="y:Q", tooltip="tooltip:N", description="tooltip:N"
        ),
        fitted,
        *lines(points, x, y, _COLOURS, is_joined=False),
    ]
    return figure(layers, table(points, x="models", y="agreement"), _GROWTH)
