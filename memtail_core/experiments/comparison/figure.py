"""Agreement of two studies and of each with itself, drawn."""

import altair as alt

from memtail_core.drawing.axes import shortened
from memtail_core.drawing.charts import BLUE, INK, ORANGE, figure
from memtail_core.drawing.lines import SHARE, Point, lines, table
from memtail_core.drawing.section import Drawn
from memtail_core.experiments.comparison.result import Both, ComparisonFound

_LONGEST = 48


def figures(found: ComparisonFound) -> dict[str, Drawn]:
    """Memorized examples, and pairs, where they are known."""
    return {
        f"{found.name}{ending}": drawn
        for ending, rows, what, of in (
            ("", found.memorized, "memorized examples", "memorization"),
            ("-pairs", found.pairs, "high-influence pairs", "influence"),
        )
        if (drawn := _drawn(found, rows, what, of))
    }


def _drawn(found: ComparisonFound, rows: list[Both], what: str, of: str) -> Drawn | None:
    names = shortened([*(f"within {name}" for name in found.names), "between the two"], _LONGEST)
    keys = ("within_one", "within_other", "between")
    points = [
        Point(name, row.threshold, value, f"{name}, {of} ≥ {row.threshold:g}: {value:.2f}")
        for name, key in zip(names, keys, strict=True)
        for row in rows
        if (value := getattr(row, key)) is not None
    ]
    if not any(point.of == names[2] for point in points):
        return None
    layers = lines(
        points,
        alt.X("x:Q", title=f"threshold of {of}", scale=alt.Scale(zero=True)),
        alt.Y("y:Q", title="agreement of halves (Jaccard)", scale=SHARE),
        dict(zip(names, (BLUE, ORANGE, INK), strict=True)),
        dashed=names[:2],
    )
    said = (
        f"Agreement (Jaccard) of {what} at each threshold of {of}, of halves of equal size: each "
        "study with itself, and one with the other."
    )
    caption = said + " Where the lines meet, the studies differ by noise alone."
    data = table(points, x="threshold", y="jaccard")
    return Drawn(figure(layers, data, said), caption)
