"""How much the last layer, and a linear layer on each other one, memorizes, drawn."""

import altair as alt
import pyarrow as pa

from memtail_core.drawing.axes import coloured, counts, shortened
from memtail_core.drawing.charts import BLUE, ORANGE, Figure, figure, values
from memtail_core.drawing.lines import Point, lines, table
from memtail_core.drawing.section import Drawn
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.last_layer.plan import LastLayer, Memorizer
from memtail_core.experiments.last_layer.representations import LAST

_CAPTION = (
    "How many training examples have at least so much memorization (log scale): by whole networks, "
    "and by the last layer alone on the fixed representation of one network."
)
_PROFILE = (
    f"Examples with memorization ≥ {THETA_MEM:g}, by a linear layer on the representation of each "
    "layer; the line: by whole networks."
)


def figures(found: LastLayer) -> dict[str, Drawn]:
    """How much is memorized from each threshold on, and by layer if there are some."""
    made = {"last-layer": Drawn(_over(found), _CAPTION)}
    if len(found.layers) > 1:
        made["last-layer-profile"] = Drawn(_profile(found), _PROFILE)
    return made


def last_of(found: LastLayer) -> Memorizer:
    """The last layer itself."""
    return next(each for each in found.layers if each.name == LAST)


def memorized_by(found: LastLayer, each: Memorizer) -> int:
    """How many examples it memorizes, at the paper's threshold."""
    return each.memorized[found.thresholds.index(THETA_MEM)]


def _over(found: LastLayer) -> Figure:
    of = {"whole networks": found.network, "the last layer alone": last_of(found)}
    points = [
        Point(name, threshold, n, f"{name}, memorization ≥ {threshold:g}: {n:,}")
        for name, each in of.items()
        for threshold, n in zip(found.thresholds, each.memorized, strict=True)
        if n
    ]
    layers = lines(
        points,
        alt.X("x:Q", title="memorization", scale=alt.Scale(domain=[0, 1], nice=False)),
        counts(
            "y:Q", "examples with at least that (log scale)", max((p.y for p in points), default=0)
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


def _profile(found: LastLayer) -> Figure:
    alone, all_of_it = "a linear layer on it", "whole networks"
    whole = memorized_by(found, found.network)
    data = pa.table(
        {
            "layer": [each.name for each in found.layers],
            "memorized": [memorized_by(found, each) for each in found.layers],
        }
    )
    names = shortened(data["layer"].to_pylist())
    rows = [
        {"name": name, "n": n, "number": f"{n:,}", "of": alone, "said": f"{name}: {n:,} memorized"}
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
        tooltip="said:N",
        description="said:N",
    )
    line = (
        alt.Chart(
            values([{"n": whole, "of": all_of_it, "said": f"whole networks: {whole:,} memorized"}])
        )
        .mark_rule(strokeWidth=2)
        .encode(x="n:Q", color=colour, tooltip="said:N", description="said:N")
    )
    numbers = base.mark_text(align="right", aria=False).encode(
        x=alt.value("width"), text="number:N"
    )
    return figure([bars, numbers, line], data, _PROFILE, height=30 * len(rows))
