"""The section on where memorization happens: the last layer beside whole networks."""

import pyarrow as pa

from memtail_core.drawing.section import Section, Shown, decimal
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.last_layer import figure
from memtail_core.experiments.last_layer.figure import last_of, memorized_by
from memtail_core.experiments.last_layer.plan import LastLayer


def section(found: LastLayer) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title="Where memorization happens",
        findings=_findings(found),
        notes=_notes(found),
        table=_table(found),
        shown=_shown(found),
        figures=figure.figures(found),
    )


def _findings(found: LastLayer) -> list[str]:
    last, network = last_of(found), found.network
    n_last, n_network = memorized_by(found, last), memorized_by(found, network)
    said = [
        f"The last layer alone, on the representation of one network trained on all examples, "
        f"memorizes {n_last:,} of {found.examples:,} examples (memorization ≥ {THETA_MEM:g}), "
        f"where whole networks memorize {n_network:,}"
        + (f": {n_last / n_network:.1%} as many." if n_network else "."),
        f"It has {last.pairs:,} high-influence pairs (by chance: about {last.by_chance:,.0f}), "
        f"whole networks have {network.pairs:,} (about {network.by_chance:,.0f}). Its memorization "
        f"and theirs correlate at {decimal(last.pearson)} (Pearson) and {decimal(last.spearman)} "
        "(Spearman).",
    ]
    if n_network and n_last <= n_network / 4:
        said.append("So most of what is memorized here sits in the representation below it.")
    return said


def _notes(found: LastLayer) -> list[str]:
    last = last_of(found)
    return [
        f"The representation is that of one network trained on all {found.examples:,} examples "
        f"(accuracy {found.whole_train:.2%} on them, {found.whole_test:.2%} on the test set), so "
        "it has seen every label, those of held-out examples included: held-out accuracy "
        f"({last.held_out:.2%}) is not that of new data, and the number of memorized examples is "
        "what the last layer adds.",
        f"Each of {found.trials:,} linear layers was trained on the subset of one of the study's "
        f"models, with L2 penalty {found.l2:g} (logistic regression, solved to its one minimum).",
    ]


def _table(found: LastLayer) -> pa.Table:
    rows = []
    for each in (found.network, *found.layers):
        row = each.model_dump(exclude={"memorized"})
        counts = zip(found.thresholds, each.memorized, strict=True)
        rows.append(row | {f"memorized_{threshold:g}": n for threshold, n in counts})
    return pa.Table.from_pylist(rows)


def _shown(found: LastLayer) -> Shown:
    columns = ("what", "features", "held in", "held out", "test", "memorized", "pairs", "Pearson")
    return Shown(
        columns,
        [
            (
                "whole networks" if each.features is None else f"linear on {each.name}",
                "–" if each.features is None else f"{each.features:,}",
                f"{each.held_in:.2%}",
                f"{each.held_out:.2%}",
                f"{each.test:.2%}",
                f"{memorized_by(found, each):,}",
                f"{each.pairs:,}",
                decimal(each.pearson),
            )
            for each in (found.network, *found.layers)
        ],
    )
