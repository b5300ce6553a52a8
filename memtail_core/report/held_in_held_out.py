"""The figure ``held_in_held_out``: training examples by accuracy held out and held in."""

from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing import axes
from memtail_core.drawing.charts import BLUE, INK, ORANGE, Figure, figure, values
from memtail_core.estimation.intervals import SLACK
from memtail_core.estimation.measures import CORRECTNESS

_CELLS = 40  # of accuracy, from 0 to 1
_KINDS = ("others", "memorized")


def held_in_held_out(analysis: Analysis) -> Figure:
    """Draw how many examples fall in each cell of held-out (across) and held-in accuracy (up)."""
    scores = analysis.scores
    known = ~np.isnan(scores.memorization)
    pair = np.array([scores.accuracy_out[known], scores.accuracy_in[known]])
    across, up = np.clip(np.floor(pair * _CELLS + SLACK).astype(np.int64), 0, _CELLS - 1)
    memorized = np.asarray(analysis.rule.is_memorized(scores.memorization[known])).astype(int)
    counts = np.zeros((2, _CELLS, _CELLS), np.int64)
    np.add.at(counts, (memorized, across, up), 1)
    kind, out, held_in = np.nonzero(counts)
    table = pa.table(
        {
            "held_out_from": out / _CELLS,
            "held_out_to": (out + 1) / _CELLS,
            "held_in_from": held_in / _CELLS,
            "held_in_to": (held_in + 1) / _CELLS,
            "kind": np.array(_KINDS)[kind],
            "examples": counts[kind, out, held_in],
        }
    )
    is_shared = ((counts[0] > 0) & (counts[1] > 0))[out, held_in]
    cells = [
        _cell(row, both) for row, both in zip(table.to_pylist(), is_shared.tolist(), strict=True)
    ]
    description = (
        f"Training examples by the {_noun(analysis)} of models that held them out (across) and of "
        f"models trained on them (up): {memorized.sum():,} memorized, far above the diagonal, and "
        f"{len(memorized) - memorized.sum():,} others."
    )
    return figure(
        _cells(cells, analysis.rule.theta_mem, _noun(analysis)), table, description, height=280
    )


def _cell(row: dict[str, Any], is_shared: bool) -> dict[str, Any]:
    """One drawn cell; a cell on both sides of the threshold has its memorized examples on the left,
    where the held-out accuracy is lower.
    """
    low, high = row["held_out_from"], row["held_out_to"]
    middle = (low + high) / 2
    if is_shared:
        low, high = (low, middle) if row["kind"] == "memorized" else (middle, high)
    noun = "example" if row["examples"] == 1 else "examples"
    text = (
        f"held out {row['held_out_from']:.1%} to {row['held_out_to']:.1%}, held in "
        f"{row['held_in_from']:.1%} to {row['held_in_to']:.1%}: {row['examples']:,} {noun}"
        + (", memorized" if row["kind"] == "memorized" else "")
    )
    return row | {"x": low, "x2": high, "said": text}


def _noun(analysis: Analysis) -> str:
    return "accuracy" if analysis.measure is CORRECTNESS else f"mean {analysis.measure.name}"


def _cells(rows: list[dict[str, Any]], theta: float, noun: str) -> list[alt.Chart]:
    largest = max(10, *(row["examples"] for row in rows), 10)
    unit = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(format="%", tickCount=5, grid=False, zindex=1)
    legend = alt.Legend(
        title="examples in a cell",
        titleOrient="left",
        orient="bottom",
        titleFontWeight="normal",
        titleColor=INK,
        direction="horizontal",
        values=[10**k for k in range(int(np.log10(largest)) + 1)],
        symbolFillColor=INK,
        symbolStrokeWidth=0,
        symbolType="square",
        format=",d",
    )
    cells = (
        alt.Chart(values(rows))
        .mark_rect()
        .encode(
            x=alt.X("x:Q", scale=unit, axis=axis, title=f"{noun} of models that held it out"),
            x2="x2:Q",
            y=alt.Y(
                "held_in_from:Q", scale=unit, axis=axis, title=f"{noun} of models trained on it"
            ),
            y2="held_in_to:Q",
            color=axes.coloured("kind:N", dict(zip(_KINDS, (BLUE, ORANGE), strict=True)), 2),
            opacity=alt.Opacity(
                "examples:Q",
                scale=alt.Scale(type="log", domain=[1, largest], range=[0.35, 1]),
                legend=legend,
            ),
            tooltip="said:N",
            description="said:N",
        )
    )
    lines: list[dict[str, float]] = [{"at": 0, "to": 0, "of": 0}, {"at": 1, "to": 1, "of": 0}]
    if 0 <= theta < 1:
        lines += [{"at": 0, "to": theta, "of": 1}, {"at": 1 - theta, "to": 1, "of": 1}]
    diagonals = (
        alt.Chart(values(lines))
        .mark_line(color=INK, strokeWidth=1, opacity=0.7, aria=False)
        .encode(
            x="at:Q",
            y="to:Q",
            detail="of:N",
            strokeDash=alt.StrokeDash(
                "of:N", scale=alt.Scale(domain=[0, 1], range=[[1, 3], [4, 3]]), legend=None
            ),
        )
    )
    return [cells, diagonals]
