"""The figures ``memorization`` and ``influence``: histograms of scores and of pairs."""

import altair as alt
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing import axes
from memtail_core.drawing.charts import BLUE, ORANGE, Figure, figure, values
from memtail_core.estimation.intervals import SLACK
from memtail_core.report.tables import histogram_table


def memorization(analysis: Analysis) -> Figure:
    """Draw the histogram of memorization; bins of 0.05, one of which starts at the threshold."""
    rule, scores = analysis.rule, analysis.scores.memorization
    known = scores[~np.isnan(scores)]
    edges = _edges(known, rule.theta_mem)
    lifted = np.where(rule.is_memorized(known), np.maximum(known, rule.theta_mem), known)
    binned = np.histogram(lifted, edges)[0]
    table = pa.table({"from": edges[:-1], "to": edges[1:], "examples": binned})
    description = (
        f"Histogram of memorization, counts on a log scale: of {len(known):,} training examples "
        f"{analysis.n_memorized:,} have at least {rule.theta_mem:g}."
    )
    names = (
        f"others: {len(known) - analysis.n_memorized:,}",
        f"memorized (≥ {rule.theta_mem:g}): {analysis.n_memorized:,}",
    )
    layers = _bars(table, "memorization", "examples", rule.theta_mem, names)
    return figure(layers, table, description)


def influence(analysis: Analysis) -> Figure:
    """Draw the histogram of the influence of all tested pairs."""
    rule, table = analysis.rule, histogram_table(analysis.tally)
    n = int(analysis.tally.sum())
    same = " of the same class" if rule.same_class else ""
    description = (
        f"Histogram of influence, counts on a log scale, of {n:,} pairs of a memorized training "
        f"example and a test example{same}."
    )
    names = (f"below {rule.theta_infl:g}", f"at least {rule.theta_infl:g}")
    return figure(_bars(table, "influence", "pairs", rule.theta_infl, names), table, description)


def _edges(known: NDArray[np.float64], theta: float) -> NDArray[np.float64]:
    first = min(-1, int(np.floor(known.min(initial=0.0) * 20)))
    edges = np.arange(first, 21) / 20  # exact at 1, where the most memorized are
    at = int(np.abs(edges - theta).argmin())
    if abs(edges[at] - theta) < SLACK:
        edges[at] = theta
    elif edges[0] < theta < edges[-1]:
        edges = np.sort([*edges, theta])
    return edges


def _bars(
    table: pa.Table, of: str, counted: str, theta: float, names: tuple[str, str]
) -> list[alt.Chart]:
    less, more = names
    noun = counted.removesuffix("s")
    rows = [
        {
            "from": row["from"],
            "to": row["to"],
            "count": row[counted],
            "kind": more if row["from"] >= theta - SLACK else less,
            "said": f"{of} {row['from']:.2f} to {row['to']:.2f}: {row[counted]:,} "
            + (noun if row[counted] == 1 else counted),
        }
        for row in table.to_pylist()
        if row[counted]
    ]
    ends = [edge for row in rows for edge in (row["from"], row["to"])]
    low, high = min([*ends, 0.0, theta]), max([*ends, 0.0, theta])
    plural = "training examples" if counted == "examples" else counted
    bars = (
        alt.Chart(values(rows))
        .mark_bar(binSpacing=1 if len(rows) < 60 else 0)
        .encode(
            x=alt.X(
                "from:Q",
                bin=alt.BinParams(binned=True),
                title=of,
                scale=alt.Scale(domain=[low, high], nice=False),
                axis=alt.Axis(tickCount=8, format=".1f" if high - low > 0.8 else ".2f"),
            ),
            x2="to:Q",
            y=axes.count_axis(
                "count:Q", f"{plural} (log scale)", max((row["count"] for row in rows), default=0)
            ),
            y2=alt.Y2Datum(axes.LEAST),
            color=axes.coloured("kind:N", {more: ORANGE, less: BLUE}, columns=2),
            tooltip="said:N",
            description="said:N",
        )
    )
    line = alt.Chart(values([{"at": theta}])).mark_rule(strokeDash=[4, 3], aria=False)
    return [bars, line.encode(x="at:Q")]
