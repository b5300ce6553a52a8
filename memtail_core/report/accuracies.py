"""Where memorization comes from: accuracy held in and held out, and the share of each class."""

from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing import axes
from memtail_core.drawing.charts import BLUE, INK, ORANGE, Figure, figure, values
from memtail_core.estimation.intervals import SLACK

_CELLS = 40  # of accuracy, from 0 to 1
_KINDS = ("others", "memorized")
_MOST_CLASSES = 30
_ROW = 20  # pixels


def held_in_held_out(analysis: Analysis) -> Figure:
    """Draw how many examples have which accuracy in models that held them out, and in others."""
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
    is_parted = ((counts[0] > 0) & (counts[1] > 0))[out, held_in]
    shown = [
        _cell(row, both) for row, both in zip(table.to_pylist(), is_parted.tolist(), strict=True)
    ]
    said = (
        "Training examples by the accuracy of models that held them out (across) and of models "
        f"trained on them (up): {memorized.sum():,} memorized, far above the diagonal, and "
        f"{len(memorized) - memorized.sum():,} others."
    )
    return figure(_cells(shown, analysis.rule.theta_mem), table, said, height=280)


def _cell(row: dict[str, Any], is_parted: bool) -> dict[str, Any]:
    """A cell that the threshold runs through has the memorized on its left: held-out is less."""
    low, high = row["held_out_from"], row["held_out_to"]
    middle = (low + high) / 2
    if is_parted:
        low, high = (low, middle) if row["kind"] == "memorized" else (middle, high)
    noun = "example" if row["examples"] == 1 else "examples"
    said = (
        f"held out {row['held_out_from']:.1%} to {row['held_out_to']:.1%}, held in "
        f"{row['held_in_from']:.1%} to {row['held_in_to']:.1%}: {row['examples']:,} {noun}"
        + (", memorized" if row["kind"] == "memorized" else "")
    )
    return row | {"x": low, "x2": high, "said": said}


def _cells(shown: list[dict[str, Any]], theta: float) -> list[alt.Chart]:
    largest = max(10, *(row["examples"] for row in shown), 10)
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
        alt.Chart(values(shown))
        .mark_rect()
        .encode(
            x=alt.X("x:Q", scale=unit, axis=axis, title="accuracy of models that held it out"),
            x2="x2:Q",
            y=alt.Y(
                "held_in_from:Q", scale=unit, axis=axis, title="accuracy of models trained on it"
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


def by_class(analysis: Analysis) -> Figure:
    """Draw the share of each class that is memorized, and between what its intervals leave it."""
    table = _classes(analysis)
    rows = table.slice(0, _MOST_CLASSES).to_pylist()
    for row, name in zip(rows, axes.shortened([row["class"] for row in rows]), strict=True):
        row["name"] = name
        for count in ("memorized", "surely", "possibly"):
            row[f"share_{count}"] = row[count] / row["scored"]
        row["said"] = (
            f"{name}: {row['memorized']:,} of {row['scored']:,} memorized "
            f"({row['share_memorized']:.1%}), surely {row['surely']:,}, "
            f"possibly {row['possibly']:,}"
        )
    y = alt.Y("name:N", scale=alt.Scale(domain=[row["name"] for row in rows]), title=None)
    base = alt.Chart(values(rows)).encode(y=y)
    bars = base.mark_bar(color=ORANGE).encode(
        x=alt.X(
            "share_memorized:Q",
            axis=alt.Axis(format="~%", tickCount=6),
            title="memorized, of the class",
        ),
        tooltip="said:N",
        description="said:N",
    )
    reach = base.mark_rule(aria=False).encode(x="share_surely:Q", x2="share_possibly:Q")
    more = f"; the {len(rows)} of {len(table):,} most" if len(table) > len(rows) else ""
    said = f"Share of memorized examples in each class, from the most to the least{more}."
    return figure([bars, reach], table, said, height=max(1, len(rows)) * _ROW)


def _classes(analysis: Analysis) -> pa.Table:
    """One row per class that has scores, from the most memorized."""
    scores, rule, y = analysis.scores, analysis.rule, analysis.dataset.y_train
    known = ~np.isnan(scores.memorization)
    of = {
        "scored": known,
        "memorized": known & rule.is_memorized(scores.memorization),
        "surely": known & rule.is_memorized(scores.ci_low),
        "possibly": known & rule.is_memorized(scores.ci_high),
    }
    n = len(analysis.dataset.classes)
    columns = {name: np.bincount(y[chosen], minlength=n) for name, chosen in of.items()}
    there = columns["scored"] > 0
    share = columns["memorized"] / np.maximum(1, columns["scored"])
    order = np.argsort(-share[there], kind="stable")
    at = np.flatnonzero(there)[order]
    names = [str(analysis.dataset.classes[i]) for i in at]
    return pa.table(
        {"class": pa.array(names, pa.string()), **{k: v[at] for k, v in columns.items()}}
    )
