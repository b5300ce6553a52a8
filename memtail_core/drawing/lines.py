"""Lines through measured points, with their deviation: what most experiments are drawn as."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import pyarrow as pa

from memtail_core.drawing.axes import coloured
from memtail_core.drawing.charts import values

SHARE = alt.Scale(domain=[0, 1], nice=False)


@dataclass(frozen=True)
class Point:
    """A measured point.

    Attributes:
        of: what was measured: the line it is on.
        x, y: where; spread: of y, up and down; None where that is not known.
        said: the point in words.
    """

    of: str
    x: float
    y: float
    said: str
    spread: float | None = None


def lines(
    points: Sequence[Point],
    x: alt.X,
    y: alt.Y,
    colours: Mapping[str, str],
    *,
    dashed: Collection[str] = (),
    is_joined: bool = True,
) -> list[alt.Chart]:
    """Layers: a bar of ± spread at each point, lines in their colours, the points.

    Args:
        points: of all lines.
        x, y: the axes, of the fields ``x`` and ``y``.
        colours: of each line.
        dashed: which of the lines are dashed.
        is_joined: whether there are lines at all.
    """
    rows = [
        {"of": p.of, "x": p.x, "y": p.y, "said": p.said}
        | ({} if p.spread is None else {"low": p.y - p.spread, "high": p.y + p.spread})
        for p in points
    ]
    colour = coloured("of:N", colours, symbol="stroke" if is_joined else "circle")
    spreads = [row for row in rows if "low" in row]
    base = alt.Chart(values(rows)).encode(x=x, y=y, color=colour)
    dash = alt.Scale(
        domain=list(colours), range=[[5, 3] if each in dashed else [1, 0] for each in colours]
    )
    layers = [base.mark_point().encode(tooltip="said:N", description="said:N")]
    if is_joined:
        line = base.mark_line(aria=False)
        layers.insert(
            0, line.encode(strokeDash=alt.StrokeDash("of:N", scale=dash, legend=colour["legend"]))
        )
    if spreads:
        bars = alt.Chart(values(spreads)).mark_rule(aria=False)
        layers.insert(0, bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour))
    return layers


def table(points: Sequence[Point], **names: str) -> pa.Table:
    """The points as a table; ``names`` are those of its columns ``x``, ``y``, if others."""
    columns = {
        "of": pa.array([p.of for p in points], pa.string()),
        names.get("x", "x"): pa.array([p.x for p in points], pa.float64()),
        names.get("y", "y"): pa.array([p.y for p in points], pa.float64()),
        "spread": pa.array([p.spread for p in points], pa.float64()),
    }
    if columns["spread"].null_count == len(points):
        del columns["spread"]
    return pa.table(columns)
