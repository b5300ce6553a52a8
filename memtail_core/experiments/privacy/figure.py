"""Figures of a privacy audit: the attacks on log axes, and which examples are exposed."""

from itertools import cycle

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.drawing.axes import coloured, ticks
from memtail_core.drawing.charts import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    SKY,
    Figure,
    figure,
    values,
)
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.privacy.result import Privacy

_COLOURS = (BLUE, SKY, ORANGE, GREEN, PINK, AMBER, "#8c564b", "#7f7f7f")
"""Of attacks, in their order; the first three have been these ever since."""
_LEAST = 1e-4  # the lowest rate drawn
_CAPTION = (
    "True-positive rate over false-positive rate, both on log axes; the dotted line is guessing. "
    "What counts is the left end: few false positives."
)
_EXAMPLES = (
    "Every training example: its memorization, and how often the attack tells which of two models "
    "was trained on it."
)
_GRID = 50


def figures(result: Privacy) -> dict[str, CaptionedFigure]:
    """Draw the curves, and the examples by memorization."""
    made = {"privacy": CaptionedFigure(_curves(result), _CAPTION)}
    known = [
        (i, mem, auc)
        for i, (mem, auc) in enumerate(zip(result.memorization, result.auc, strict=True))
        if mem is not None and auc is not None
    ]
    if known:
        made["privacy-examples"] = CaptionedFigure(_examples(known), _EXAMPLES)
    return made


def _curves(result: Privacy) -> Figure:
    colours = dict(zip((each.name for each in result.attacks), cycle(_COLOURS), strict=False))
    every = [(each.name, fpr, tpr) for each in result.attacks for fpr, tpr in each.curve]
    names = ("of", "false_positive_rate", "true_positive_rate")
    data = pa.table(dict(zip(names, map(list, zip(*every, strict=True)), strict=True)))
    rows = [
        {"of": of, "x": x, "y": y, "tooltip": f"{of}: {y:.2%} detected at {x:.2%} false positives"}
        for of, x, y in every
        if x >= _LEAST and y >= _LEAST
    ]
    scale = alt.Scale(type="log", domain=[_LEAST, 1], nice=False, clamp=True)
    axis = alt.Axis(values=ticks(_LEAST, 1), format="~%")
    x = alt.X("x:Q", title="false-positive rate (log scale)", scale=scale, axis=axis)
    y = alt.Y("y:Q", title="true-positive rate (log scale)", scale=scale, axis=axis)
    guess = alt.Chart(values([{"x": _LEAST, "y": _LEAST}, {"x": 1, "y": 1}]))
    base = alt.Chart(values(rows)).encode(
        x=x, y=y, color=coloured("of:N", colours, symbol="stroke")
    )
    layers = [
        guess.mark_line(strokeDash=[1, 3], color=INK, aria=False).encode(x=x, y=y),
        base.mark_line(aria=False),
        base.mark_point(size=90, opacity=0).encode(tooltip="tooltip:N", description="tooltip:N"),
    ]
    return figure(layers, data, _CAPTION, height=300)


def _examples(known: list[tuple[int, float, float]]) -> Figure:
    """Draw examples; those at the same place are one larger dot."""
    names = ("index", "memorization", "auc")
    data = pa.table(dict(zip(names, map(list, zip(*known, strict=True)), strict=True)))
    at = np.round(np.array([each[1:] for each in known]) * _GRID).astype(int)
    places, n = np.unique(at, axis=0, return_counts=True)
    rows = [
        {
            "x": a / _GRID,
            "y": b / _GRID,
            "n": count,
            "tooltip": f"{count:,} at memorization {a / _GRID:.2f}: "
            f"membership detected in {b / _GRID:.0%}",
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
                title="membership detected",
                axis=alt.Axis(format="~%"),
                scale=alt.Scale(zero=False),
            ),
            size=size,
            tooltip="tooltip:N",
            description="tooltip:N",
        )
    )
    return figure([chart], data, _EXAMPLES)
