"""Figure of subgroups: memorization and how plausible the label is, of what is not typical."""

from collections import Counter
from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.drawing.axes import coloured
from memtail_core.drawing.charts import BLUE, INK, ORANGE, figure, values
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.subgroups.result import Subgroups

_COLOURS = {"atypical-useful": BLUE, "likely-mislabeled": ORANGE, "duplicate": INK}
_LEAST = 1e-6  # probability drawn
_FINE, _COARSE = (250, 60), (100, 25)  # dots per unit of memorization, and per decade
_MANY = 3000  # examples; more are drawn on the coarse grid
_CAPTION = (
    "Every example that is not typical: its memorization, and the probability that networks which "
    "held it out give its label."
)


def figures(result: Subgroups) -> dict[str, CaptionedFigure]:
    """Draw a dot for each example that is not typical and has a label probability."""
    known = [
        (each.index, each.category, each.memorization, each.label_probability)
        for each in result.members
        if each.category in _COLOURS
        and each.memorization is not None
        and each.label_probability is not None
    ]
    if not known:
        return {}
    names = ("index", "category", "memorization", "label_probability")
    data = pa.table(dict(zip(names, map(list, zip(*known, strict=True)), strict=True)))
    grid = _FINE if len(known) < _MANY else _COARSE
    counted = Counter((category, *_dot(m, p, grid)) for _, category, m, p in known)
    rows: list[dict[str, Any]] = [
        {
            "of": category,
            "x": (x := across / grid[0]),
            "y": (y := 10 ** (up / grid[1])),
            "tooltip": f"{category}: {n:,} at memorization {x:.2f}, probability "
            + (f"{y:.2g}" if y > _LEAST else f"at most {_LEAST:g}"),
        }
        for (category, across, up), n in sorted(counted.items())
    ]
    lowest = min(-1, int(np.floor(np.log10(min(row["y"] for row in rows)) + 1e-9)))
    tens = [10.0**power for power in range(lowest, 1)]
    chart = (
        alt.Chart(values(rows))
        .mark_point(size=14, opacity=0.8, aria=len(rows) < 500)
        .encode(
            x=alt.X("x:Q", title="memorization", scale=alt.Scale(zero=False)),
            y=alt.Y(
                "y:Q",
                title="probability of its label, held out (log scale)",
                scale=alt.Scale(type="log", domain=[tens[0], 1], nice=False, padding=4),
                axis=alt.Axis(values=tens, tickCount=len(tens), format="~g"),
            ),
            color=coloured(
                "of:N", {k: v for k, v in _COLOURS.items() if result.counts[k]}, 2, "circle"
            ),
            tooltip="tooltip:N",
            description="tooltip:N",
        )
    )
    return {"subgroups": CaptionedFigure(figure([chart], data, _CAPTION, height=260), _CAPTION)}


def _dot(memorization: float, probability: float, grid: tuple[int, int]) -> tuple[int, int]:
    up = np.log10(max(probability, _LEAST)) * grid[1]
    return round(memorization * grid[0]), round(float(up))
