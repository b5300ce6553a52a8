"""The section on a comparison: what differs between two studies, and how much of it is noise?"""

import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.formatting import decimal
from memtail_core.drawing.section import Example, Gallery, Section, TextTable
from memtail_core.experiments import measured
from memtail_core.experiments.comparison import figure
from memtail_core.experiments.comparison.result import Both, Comparison


def section(result: Comparison, dataset: Dataset) -> Section:
    """Write, list and draw how two studies agree."""
    return Section(
        name=result.name,
        title=f"Compared with {result.names[1]}{measured.in_title(result.measure)}",
        findings=_findings(result, dataset),
        notes=_notes(result),
        table=_table(result),
        summary=_summary(result),
        figures=figure.figures(result),
        galleries=_galleries(result),
    )


def _findings(result: Comparison, dataset: Dataset) -> list[str]:
    one, other = result.names
    at, pairs = _at(result.memorized, result.theta_mem), _at(result.pairs, result.theta_infl)
    return [
        f"{one} and {other} agree at {decimal(at.between)} on the examples with memorization ≥ "
        f"{result.theta_mem:g} (Jaccard index, halves of {result.half[0]:,} and "
        f"{result.half[1]:,} models). For comparison, {one} agrees with itself at "
        f"{decimal(at.within_one)} and {other} at {decimal(at.within_other)}.",
        f"On high-influence pairs (influence ≥ {result.theta_infl:g}) they agree at "
        f"{decimal(pairs.between)}, {one} with itself at {decimal(pairs.within_one)}, {other} at "
        f"{decimal(pairs.within_other)}.",
        f"The correlation of their memorization is {decimal(result.pearson, 3)}, and "
        f"{decimal(result.corrected, 3)} after a correction for noise. Beyond noise it differs by "
        f"{decimal(result.beyond_noise, 3)} (root mean square). On {result.significant:,} of "
        f"{len(dataset.y_train):,} examples they differ significantly (false discovery rate 5%).",
        *measured.sentences(result.measure),
    ]


def _notes(result: Comparison) -> list[str]:
    changes = "; ".join(result.changes[:8]) or "nothing"
    notes = [
        f"First: {result.names[0]}, second: {result.names[1]}. Differences: {changes}.",
        f"With all models ({result.trials:,} and {result.other_trials:,}) the studies agree at "
        f"{decimal(_at(result.memorized, result.theta_mem).jaccard)} on memorized examples and at "
        f"{decimal(_at(result.pairs, result.theta_infl).jaccard)} on pairs. More models agree "
        "better, so the comparison above is of halves of one size.",
    ]
    if result.shares_subsets:
        notes.append(
            "Both studies trained on the same subsets, so part of their noise is common. The "
            "correction for noise uses halves that share no subset."
        )
    return notes


def _at(rows: list[Both], threshold: float) -> Both:
    return min(rows, key=lambda row: abs(row.threshold - threshold))


def _table(result: Comparison) -> pa.Table:
    rows = [{"of": "memorization", **row.model_dump()} for row in result.memorized]
    return pa.Table.from_pylist(
        [*rows, *({"of": "influence", **r.model_dump()} for r in result.pairs)]
    )


def _summary(result: Comparison) -> TextTable:
    columns = (
        *("what", "from", "first", "second", "both", "Jaccard"),
        *("within 1st", "within 2nd", "between", "difference"),
    )
    rows = []
    for what, each in (("memorization", result.memorized), ("influence", result.pairs)):
        for row in each:
            counts = [
                "too many" if value is None else f"{value:,.0f}"
                for value in (row.one, row.other, row.both)
            ]
            halves = [decimal(row.within_one), decimal(row.within_other), decimal(row.between)]
            values = [decimal(row.jaccard), *halves, decimal(row.difference, 3)]
            rows.append((what, f"{row.threshold:g}", *counts, *values))
    return TextTable(columns, rows)


def _galleries(result: Comparison) -> list[Gallery]:
    one, other = result.names
    sides = [
        Gallery(
            f"Memorized more by {mine} than by {theirs}",
            [
                Example(each.index, f"{each.one:.2f} and {each.other:.2f}")
                for each in result.disagreements
                if (each.one > each.other) == is_first
            ][:16],
        )
        for mine, theirs, is_first in ((one, other, True), (other, one, False))
    ]
    return [gallery for gallery in sides if gallery.examples]
