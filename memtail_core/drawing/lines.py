"""Lines through measured points with error bars: what most experiments draw."""

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
        line: the name of the line it is on.
        x, y: where it is.
        tooltip: what a reader who points at it is told.
        spread: of y, drawn up and down; None where it is not known.
    """

    line: str
    x: float
    y: float
    tooltip: str
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
    """Return layers: an error bar of ± spread at each point, the lines, the points.

    Args:
        points: of all lines.
        x, y: the axes, of the fields ``x`` and ``y``.
        colours: one for each line.
        dashed: the lines that are dashed.
        is_joined: whether the points of a line are joined.
    """
    rows = [
        {"of": p.line, "x": p.x, "y": p.y, "tooltip": p.tooltip}
        | ({} if p.spread is None else {"low": p.y - p.spread, "high": p.y + p.spread})
        for p in points
    ]
    colour = coloured("of:N", colours, symbol="stroke" if is_joined else "circle")
    with_spread = [row for row in rows if "low" in row]
    base = alt.Chart(values(rows)).encode(x=x, y=y, color=colour)
    dash = alt.Scale(
        domain=list(colours), range=[[5, 3] if each in dashed else [1, 0] for each in colours]
    )
    layers = [base.mark_point().encode(tooltip="tooltip:N", description="tooltip:N")]
    if is_joined:
        line = base.mark_line(aria=False)
        layers.insert(
            0, line.encode(strokeDash=alt.StrokeDash("of:N", scale=dash, legend=colour["legend"]))
        )
    if with_spread:
        # A share with its spread may reach beyond 1: what is impossible is cut off.
        bars = alt.Chart(values(with_spread)).mark_rule(aria=False, clip=True)
        layers.insert(0, bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour))
    return layers


def table(points: Sequence[Point], **names: str) -> pa.Table:
    """Return the points as a table; ``names`` renames its columns ``x`` and ``y``."""
    columns = {
        "of": pa.array([p.line for p in points], pa.string()),
        names.get("x", "x"): pa.array([p.x for p in points], pa.float64()),
        names.get("y", "y"): pa.array([p.y for p in points], pa.float64()),
        "spread": pa.array([p.spread for p in points], pa.float64()),
    }
    if columns["spread"].null_count == len(points):
        del columns["spread"]
    return pa.table(columns)
