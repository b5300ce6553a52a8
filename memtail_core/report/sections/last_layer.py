"""The section on where memorization happens: the last layer beside whole networks."""

import pyarrow as pa
from matplotlib.axes import Axes

from memtail_core.experiments.last_layer import LastLayer, Memorizer
from memtail_core.experiments.representations import LAST
from memtail_core.report.drawing import BLUE, INK, ORANGE, panels
from memtail_core.report.sections.section import Drawn, Section, Shown, decimal

_THETA = 0.25
_CAPTION = (
    "How many training examples have at least so much memorization (log scale): by whole networks, "
    "and by the last layer alone on the fixed representation of one network."
)
_PROFILE = " Right: the same at 0.25 for a linear layer on the representation of each layer."


def section(found: LastLayer) -> Section:
    """Say, list and draw what was found."""
    has_profile = len(found.layers) > 1
    draw = [lambda axes: _over(axes, found)]
    if has_profile:
        draw.append(lambda axes: _profile(axes, found))
    figure = panels(7 if has_profile else 5, 3, draw)
    caption = _CAPTION + (_PROFILE if has_profile else "")
    return Section(
        name=found.name,
        title="Where memorization happens",
        findings=_findings(found),
        notes=_notes(found),
        table=_table(found),
        shown=_shown(found),
        figures={"last-layer": Drawn(figure, caption)},
    )


def _findings(found: LastLayer) -> list[str]:
    last, network = _last(found), found.network
    n_last, n_network = _memorized(found, last), _memorized(found, network)
    said = [
        f"The last layer alone, on the representation of one network trained on all examples, "
        f"memorizes {n_last:,} of {found.examples:,} examples (memorization ≥ {_THETA:g}), where "
        f"whole networks memorize {n_network:,}"
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
    last = _last(found)
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
                f"{_memorized(found, each):,}",
                f"{each.pairs:,}",
                decimal(each.pearson),
            )
            for each in (found.network, *found.layers)
        ],
    )


def _over(axes: Axes, found: LastLayer) -> None:
    for each, name, colour in (
        (found.network, "whole networks", ORANGE),
        (_last(found), "last layer alone", BLUE),
    ):
        known = [(t, n) for t, n in zip(found.thresholds, each.memorized, strict=True) if n]
        if known:
            axes.plot(*zip(*known, strict=True), "o-", color=colour, markersize=3, label=name)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_xlim(0, 1)
    axes.axvline(_THETA, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlabel("memorization")
    axes.set_ylabel("examples with at least that")
    axes.legend(frameon=False, fontsize=8)


def _profile(axes: Axes, found: LastLayer) -> None:
    names = [each.name for each in found.layers]
    axes.bar(names, [_memorized(found, each) for each in found.layers], color=BLUE)
    axes.axhline(_memorized(found, found.network), color=ORANGE, linewidth=1.2)
    axes.tick_params(axis="x", rotation=30)
    axes.set_ylabel(f"examples with memorization ≥ {_THETA:g}")


def _last(found: LastLayer) -> Memorizer:
    return next(each for each in found.layers if each.name == LAST)


def _memorized(found: LastLayer, each: Memorizer) -> int:
    return each.memorized[found.thresholds.index(_THETA)]
