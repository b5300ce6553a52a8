"""The section on the last layer: where does memorization happen?"""

import pyarrow as pa

from memtail_core.drawing.formatting import MISSING, decimal
from memtail_core.drawing.section import Section, TextTable
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.last_layer import figure
from memtail_core.experiments.last_layer.figure import last_of, memorized_by
from memtail_core.experiments.last_layer.result import LastLayer


def section(result: LastLayer) -> Section:
    """Write, list and draw what the last layer memorizes."""
    return Section(
        name=result.name,
        title="Where memorization happens",
        findings=_findings(result),
        notes=_notes(result),
        table=_table(result),
        summary=_summary(result),
        figures=figure.figures(result),
    )


def _findings(result: LastLayer) -> list[str]:
    last, network = last_of(result), result.network
    n_last, n_network = memorized_by(result, last), memorized_by(result, network)
    sentences = [
        "The last layer alone, on the representation of one network trained on all examples, "
        f"memorizes {n_last:,} of {result.examples:,} examples (memorization ≥ {THETA_MEM:g}). "
        f"Whole networks memorize {n_network:,}"
        + (f", so this is {n_last / n_network:.1%} as many." if n_network else "."),
        f"The last layer has {last.pairs:,} high-influence pairs (expected by chance: about "
        f"{last.by_chance:,.0f}), whole networks have {network.pairs:,} (about "
        f"{network.by_chance:,.0f}). The correlation of their memorization is "
        f"{decimal(last.pearson)} (Pearson) and {decimal(last.spearman)} (Spearman).",
    ]
    if n_network and n_last <= n_network / 4:
        sentences.append("Most memorization happens in the representation below the last layer.")
    return sentences


def _notes(result: LastLayer) -> list[str]:
    last = last_of(result)
    return [
        f"The representation is that of one network trained on all {result.examples:,} examples "
        f"(accuracy {result.whole_train:.2%} on them, {result.whole_test:.2%} on the test set). It "
        "was trained on the labels of held-out examples too. So held-out accuracy "
        f"({last.held_out:.2%}) is not accuracy on new data, and the memorized examples counted "
        "here are those that the last layer adds.",
        f"Each of {result.trials:,} linear layers was trained on the subset of one of the study's "
        f"models, with L2 penalty {result.l2:g} (logistic regression, solved to its minimum).",
    ]


def _table(result: LastLayer) -> pa.Table:
    rows = []
    for each in (result.network, *result.layers):
        row = each.model_dump(exclude={"memorized"})
        counts = zip(result.thresholds, each.memorized, strict=True)
        rows.append(row | {f"memorized_{threshold:g}": n for threshold, n in counts})
    return pa.Table.from_pylist(rows)


def _summary(result: LastLayer) -> TextTable:
    columns = ("what", "features", "held in", "held out", "test", "memorized", "pairs", "Pearson")
    return TextTable(
        columns,
        [
            (
                "whole networks" if each.features is None else f"linear on {each.name}",
                MISSING if each.features is None else f"{each.features:,}",
                f"{each.held_in:.2%}",
                f"{each.held_out:.2%}",
                f"{each.test:.2%}",
                f"{memorized_by(result, each):,}",
                f"{each.pairs:,}",
                decimal(each.pearson),
            )
            for each in (result.network, *result.layers)
        ],
    )
