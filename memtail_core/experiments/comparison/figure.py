"""Figures of a comparison: agreement of two studies, and of each with itself."""

import altair as alt

from memtail_core.drawing.axes import shortened
from memtail_core.drawing.charts import BLUE, INK, ORANGE, figure
from memtail_core.drawing.lines import SHARE, Point, lines, table
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.comparison.result import Both, Comparison

_LONGEST = 48


def figures(result: Comparison) -> dict[str, CaptionedFigure]:
    """Draw agreement on memorized examples, and on pairs, where it is known."""
    return {
        f"{result.name}{ending}": drawn
        for ending, rows, what, of in (
            ("", result.memorized, "memorized examples", "memorization"),
            ("-pairs", result.pairs, "high-influence pairs", "influence"),
        )
        if (drawn := _drawn(result, rows, what, of))
    }


def _drawn(result: Comparison, rows: list[Both], what: str, of: str) -> CaptionedFigure | None:
    names = shortened([*(f"within {name}" for name in result.names), "between the two"], _LONGEST)
    keys = ("within_one", "within_other", "between")
    points = [
        Point(name, row.threshold, value, f"{name}, {of} ≥ {row.threshold:g}: {value:.2f}")
        for name, key in zip(names, keys, strict=True)
        for row in rows
        if (value := getattr(row, key)) is not None
    ]
    if not any(point.line == names[2] for point in points):
        return None
    layers = lines(
        points,
        alt.X("x:Q", title=f"threshold of {of}", scale=alt.Scale(zero=True)),
        alt.Y("y:Q", title="agreement of halves (Jaccard)", scale=SHARE),
        dict(zip(names, (BLUE, ORANGE, INK), strict=True)),
        dashed=names[:2],
    )
    description = (
        f"Agreement (Jaccard index) on {what} at each threshold of {of}, of halves of equal size: "
        "each study with itself, and one with the other."
    )
    caption = description + " Where the lines meet, the studies differ by noise alone."
    data = table(points, x="threshold", y="jaccard")
    return CaptionedFigure(figure(layers, data, description), caption)
