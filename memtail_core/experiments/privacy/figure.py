"""The attacks of a privacy audit, on log axes, and who is found, drawn."""

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.drawing.axes import coloured, ticks
from memtail_core.drawing.charts import BLUE, INK, ORANGE, SKY, Figure, figure, values
from memtail_core.drawing.section import Drawn
from memtail_core.estimation.membership import LOSS, OWN, POOLED
from memtail_core.experiments.privacy.result import PrivacyFound

COLOURS = {OWN: BLUE, POOLED: SKY, LOSS: ORANGE}
_LEAST = 1e-4  # drawn of a rate
_CAPTION = (
    "Members found over false alarms, both on log axes; the dotted line is guessing. What counts "
    "is the left: few false alarms."
)
_EXAMPLES = (
    "Every training example: how much it is memorized, and of two models, one of which was trained "
    "with it, how often the attack tells which."
)
_GRID = 50


def figures(found: PrivacyFound) -> dict[str, Drawn]:
    """The curves, and the examples by memorization."""
    made = {"privacy": Drawn(_curves(found), _CAPTION)}
    known = [
        (i, mem, auc)
        for i, (mem, auc) in enumerate(zip(found.memorization, found.auc, strict=True))
        if mem is not None and auc is not None
    ]
    if known:
        made["privacy-examples"] = Drawn(_examples(known), _EXAMPLES)
    return made


def _curves(found: PrivacyFound) -> Figure:
    every = [(each.name, fpr, tpr) for each in found.attacks for fpr, tpr in each.curve]
    names = ("of", "false_positive_rate", "true_positive_rate")
    data = pa.table(dict(zip(names, map(list, zip(*every, strict=True)), strict=True)))
    rows = [
        {"of": of, "x": x, "y": y, "said": f"{of}: {y:.2%} found at {x:.2%} false alarms"}
        for of, x, y in every
        if x >= _LEAST and y >= _LEAST
    ]
    scale = alt.Scale(type="log", domain=[_LEAST, 1], nice=False, clamp=True)
    axis = alt.Axis(values=ticks(_LEAST, 1), format="~%")
    x = alt.X("x:Q", title="false-positive rate (log scale)", scale=scale, axis=axis)
    y = alt.Y("y:Q", title="true-positive rate (log scale)", scale=scale, axis=axis)
    guess = alt.Chart(values([{"x": _LEAST, "y": _LEAST}, {"x": 1, "y": 1}]))
    base = alt.Chart(values(rows)).encode(
        x=x, y=y, color=coloured("of:N", COLOURS, symbol="stroke")
    )
    layers = [
        guess.mark_line(strokeDash=[1, 3], color=INK, aria=False).encode(x=x, y=y),
        base.mark_line(aria=False),
        base.mark_point(size=90, opacity=0).encode(tooltip="said:N", description="said:N"),
    ]
    return figure(layers, data, _CAPTION, height=300)


def _examples(known: list[tuple[int, float, float]]) -> Figure:
    """Dots that fall on one another are one, larger."""
    names = ("index", "memorization", "auc")
    data = pa.table(dict(zip(names, map(list, zip(*known, strict=True)), strict=True)))
    at = np.round(np.array([each[1:] for each in known]) * _GRID).astype(int)
    places, n = np.unique(at, axis=0, return_counts=True)
    rows = [
        {
            "x": a / _GRID,
            "y": b / _GRID,
            "n": count,
            "said": f"{count:,} at memorization {a / _GRID:.2f}: told in {b / _GRID:.0%}",
        }
        for (a, b), count in zip(places.tolist(), n.tolist(), strict=True)
    ]
    size = alt.Size(
        "n:Q", title="examples", scale=alt.Scale(type="log", range=[8, 160]), legend=None
    )
    chart = (
        alt.Chart(values(rows))
        .mark_point(color=BLUE, filled=True, opacity=0.7)
        .encode(
            x=alt.X("x:Q", title="memorization", scale=alt.Scale(zero=False)),
            y=alt.Y(
                "y:Q",
                title="membership told",
                axis=alt.Axis(format="~%"),
                scale=alt.Scale(zero=False),
            ),
            size=size,
            tooltip="said:N",
            description="said:N",
        )
    )
    return figure([chart], data, _EXAMPLES)
