"""The figure ``by_class``: the memorized share of each class."""

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing import axes
from memtail_core.drawing.charts import ORANGE, Figure, figure, values

_MOST_CLASSES = 30
_ROW = 20  # pixels


def by_class(analysis: Analysis) -> Figure:
    """Draw the memorized share of each class, with a line from surely to possibly memorized."""
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
    description = f"Share of memorized examples in each class, from the most to the least{more}."
    return figure([bars, reach], table, description, height=max(1, len(rows)) * _ROW)


def _classes(analysis: Analysis) -> pa.Table:
    """One row per class with scores, the largest memorized share first."""
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
    has_scores = columns["scored"] > 0
    share = columns["memorized"] / np.maximum(1, columns["scored"])
    order = np.argsort(-share[has_scores], kind="stable")
    at = np.flatnonzero(has_scores)[order]
    names = [str(analysis.dataset.classes[i]) for i in at]
    return pa.table(
        {"class": pa.array(names, pa.string()), **{k: v[at] for k, v in columns.items()}}
    )
