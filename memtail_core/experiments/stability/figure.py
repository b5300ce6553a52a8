"""Agreement of halves of a study, at each threshold and as they grow, drawn."""

from typing import Any

import altair as alt

from memtail_core.drawing.axes import ticks
from memtail_core.drawing.charts import BLUE, INK, ORANGE, Figure, figure, values
from memtail_core.drawing.lines import SHARE, Point, lines, table
from memtail_core.drawing.section import Drawn
from memtail_core.experiments.stability.result import StabilityFound

NAMES = {
    "memorized": "memorized examples",
    "pairs": "high-influence pairs",
    "correlation": "memorization (correlation)",
}
_COLOURS = dict(zip(NAMES.values(), (BLUE, ORANGE, INK), strict=True))
_CAPTION = (
    "Which examples and which pairs two halves of the models have in common (Jaccard) at each "
    "threshold: mean and deviation over splits."
)
_GROWN = (
    "How agreement grows with the models of each half: dots are measured (mean and deviation over "
    "splits), dashes are the fitted law, the dotted line is what was asked for."
)


def figures(found: StabilityFound) -> dict[str, Drawn]:
    """Agreement over thresholds, and over models, where it is known."""
    made = {}
    if points := _over(found):
        made["stability"] = Drawn(_thresholds(found, points), _CAPTION)
    if points := _grown(found):
        made["stability-growth"] = Drawn(_growth(found, points), _GROWN)
    return made


def _over(found: StabilityFound) -> list[Point]:
    return [
        Point(
            NAMES[name],
            at.threshold,
            at.jaccard,
            f"{NAMES[name]} from {at.threshold:g}: {at.jaccard:.2f}",
            at.spread,
        )
        for name, each in (("memorized", found.memorized), ("pairs", found.pairs))
        for at in each
        if at.jaccard is not None
    ]


def _thresholds(found: StabilityFound, points: list[Point]) -> Figure:
    layers = lines(
        points,
        alt.X("x:Q", title="threshold of memorization, or influence", scale=alt.Scale(zero=True)),
        alt.Y("y:Q", title=f"Jaccard, halves of {found.growth[0].sizes[-1]:,}", scale=SHARE),
        {name: _COLOURS[name] for name in list(NAMES.values())[:2]},
    )
    data = table(points, x="threshold", y="jaccard")
    return figure(layers, data, _CAPTION)


def _grown(found: StabilityFound) -> list[Point]:
    return [
        Point(
            NAMES[growth.name],
            size,
            value,
            f"{NAMES[growth.name]}, {size:,} models: {value:.2f}",
            s,
        )
        for growth in found.growth
        if growth.name in NAMES
        for size, value, s in zip(growth.sizes, growth.values, growth.spreads, strict=True)
        if value is not None
    ]


def _growth(found: StabilityFound, points: list[Point]) -> Figure:
    law: list[dict[str, Any]] = [
        {"x": trials, "y": value, "of": NAMES[growth.name]}
        for growth in found.growth
        if growth.name in NAMES
        for trials, value in growth.law
    ]
    sizes = [point.x for point in points] + [row["x"] for row in law]
    span = [min(sizes) / 1.1, max(sizes) * 1.1]
    x = alt.X(
        "x:Q",
        title="models of each side (log scale)",
        scale=alt.Scale(type="log", domain=span, nice=False),
        axis=alt.Axis(values=ticks(*span), format=",d"),
    )
    y = alt.Y("y:Q", title="agreement", scale=SHARE)
    fitted = (
        alt.Chart(values(law))
        .mark_line(strokeDash=[5, 3], strokeWidth=1.2, aria=False)
        .encode(x=x, y=y, color="of:N")
    )
    wanted = alt.Chart(values([{"y": found.wanted, "said": f"wanted: {found.wanted:g}"}]))
    layers = [
        wanted.mark_rule(strokeDash=[1, 3]).encode(y="y:Q", tooltip="said:N", description="said:N"),
        fitted,
        *lines(points, x, y, _COLOURS, is_joined=False),
    ]
    return figure(layers, table(points, x="models", y="agreement"), _GROWN)
