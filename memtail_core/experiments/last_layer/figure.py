"""Figures of the last layer: how much it memorizes, and a linear layer on each other one."""

import altair as alt
import pyarrow as pa

from memtail_core.drawing.axes import coloured, count_axis, shortened
from memtail_core.drawing.charts import BLUE, ORANGE, Figure, figure, values
from memtail_core.drawing.lines import Point, lines, table
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.last_layer.result import LAST, LastLayer, Memorizer

_CAPTION = (
    "How many training examples reach each memorization (log scale): by whole networks, and by the "
    "last layer alone on the fixed representation of one network."
)
_PROFILE = (
    f"Examples with memorization ≥ {THETA_MEM:g}: by a linear layer on the representation of "
    "each layer (bars), and by whole networks (line)."
)


def figures(result: LastLayer) -> dict[str, CaptionedFigure]:
    """Draw how much is memorized at each threshold, and by layer if there are several."""
    made = {"last-layer": CaptionedFigure(_by_threshold(result), _CAPTION)}
    if len(result.layers) > 1:
        made["last-layer-profile"] = CaptionedFigure(_profile(result), _PROFILE)
    return made


def last_of(result: LastLayer) -> Memorizer:
    """Return the last layer."""
    return next(each for each in result.layers if each.name == LAST)


def memorized_by(result: LastLayer, each: Memorizer) -> int:
    """Return how many examples it memorizes, at the paper's threshold."""
    return each.memorized[result.thresholds.index(THETA_MEM)]


def _by_threshold(result: LastLayer) -> Figure:
    of = {"whole networks": result.network, "the last layer alone": last_of(result)}
    points = [
        Point(name, threshold, n, f"{name}, memorization ≥ {threshold:g}: {n:,}")
        for name, each in of.items()
        for threshold, n in zip(result.thresholds, each.memorized, strict=True)
        if n
    ]
    layers = lines(
        points,
        alt.X("x:Q", title="memorization", scale=alt.Scale(domain=[0, 1], nice=False)),
        count_axis(
            "y:Q", "examples that reach it (log scale)", max((p.y for p in points), default=0)
        ),
        dict(zip(of, (ORANGE, BLUE), strict=True)),
    )
    at = (
        alt.Chart(values([{"x": THETA_MEM}]))
        .mark_rule(strokeDash=[4, 3], aria=False)
        .encode(x="x:Q")
    )
    data = table(points, x="memorization", y="examples")
    return figure([at, *layers], data, _CAPTION)


def _profile(result: LastLayer) -> Figure:
    alone, all_of_it = "a linear layer on this representation", "whole networks"
    whole = memorized_by(result, result.network)
    data = pa.table(
        {
            "layer": [each.name for each in result.layers],
            "memorized": [memorized_by(result, each) for each in result.layers],
        }
    )
    names = shortened(data["layer"].to_pylist())
    rows = [
        {
            "name": name,
            "n": n,
            "number": f"{n:,}",
            "of": alone,
            "tooltip": f"{name}: {n:,} memorized",
        }
        for name, n in zip(names, data["memorized"].to_pylist(), strict=True)
    ]
    colour = coloured("of:N", {alone: BLUE, all_of_it: ORANGE}, columns=2)
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("name:N", title=None, scale=alt.Scale(domain=names))
    )
    bars = base.mark_bar(height={"band": 0.7}).encode(
        x=alt.X(
            "n:Q",
            title=f"examples with memorization ≥ {THETA_MEM:g}",
            scale=alt.Scale(domain=[0, 1.18 * max(1, whole, *(row["n"] for row in rows))]),
        ),
        color=colour,
        tooltip="tooltip:N",
        description="tooltip:N",
    )
    line = (
        alt.Chart(
            values(
                [{"n": whole, "of": all_of_it, "tooltip": f"whole networks: {whole:,} memorized"}]
            )
        )
        .mark_rule(strokeWidth=2)
        .encode(x="n:Q", color=colour, tooltip="tooltip:N", description="tooltip:N")
    )
    numbers = base.mark_text(align="right", aria=False).encode(
        x=alt.value("width"), text="number:N"
    )
    return figure([bars, numbers, line], data, _PROFILE, height=30 * len(rows))
