"""The section on a comparison: what changes with the network, and what of it is noise."""

import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.section import Example, Gallery, Section, Shown, decimal
from memtail_core.experiments.comparison import figure
from memtail_core.experiments.comparison.result import Both, ComparisonFound


def section(found: ComparisonFound, dataset: Dataset) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title=f"Compared with {found.names[1]}",
        findings=_findings(found, dataset),
        notes=_notes(found),
        table=_table(found),
        shown=_shown(found),
        figures=figure.figures(found),
        galleries=_galleries(found),
    )


def _findings(found: ComparisonFound, dataset: Dataset) -> list[str]:
    one, other = found.names
    at, pairs = _at(found.memorized, found.theta_mem), _at(found.pairs, found.theta_infl)
    return [
        f"{one} and {other} agree on the examples with memorization ≥ {found.theta_mem:g} at "
        f"{decimal(at.between)} (Jaccard, halves of {found.half[0]:,} and {found.half[1]:,} "
        f"models), where {one} agrees with itself at {decimal(at.within_one)} and {other} at "
        f"{decimal(at.within_other)}.",
        f"On high-influence pairs (influence ≥ {found.theta_infl:g}) they agree at "
        f"{decimal(pairs.between)}, {one} with itself at {decimal(pairs.within_one)}, {other} at "
        f"{decimal(pairs.within_other)}.",
        f"Their memorization correlates at {decimal(found.pearson, 3)}, and at "
        f"{decimal(found.corrected, 3)} once noise is allowed for; beyond noise it differs by "
        f"{decimal(found.beyond_noise, 3)} (root mean square). On {found.significant:,} of "
        f"{len(dataset.y_train):,} examples they differ significantly (false discovery rate 5%).",
    ]


def _notes(found: ComparisonFound) -> list[str]:
    changes = "; ".join(found.changes[:8]) or "nothing"
    said = [
        f"First: {found.names[0]}, second: {found.names[1]}. What differs: {changes}.",
        f"With all models ({found.trials:,} and {found.other_trials:,}) memorized examples agree "
        f"at {decimal(_at(found.memorized, found.theta_mem).jaccard)}, pairs at "
        f"{decimal(_at(found.pairs, found.theta_infl).jaccard)}. More models agree better, so only "
        "halves of one size are compared above.",
    ]
    if found.shares_subsets:
        said.append(
            "Both trained on the same subsets, so part of the noise is common to them: what is "
            "said beyond noise is from halves that share none."
        )
    return said


def _at(rows: list[Both], threshold: float) -> Both:
    return min(rows, key=lambda row: abs(row.threshold - threshold))


def _table(found: ComparisonFound) -> pa.Table:
    rows = [{"of": "memorization", **row.model_dump()} for row in found.memorized]
    return pa.Table.from_pylist(
        [*rows, *({"of": "influence", **r.model_dump()} for r in found.pairs)]
    )


def _shown(found: ComparisonFound) -> Shown:
    columns = (
        *("what", "from", "first", "second", "both", "Jaccard"),
        *("within 1st", "within 2nd", "between", "difference"),
    )
    rows = []
    for what, each in (("memorization", found.memorized), ("influence", found.pairs)):
        for row in each:
            counts = [
                "too many" if value is None else f"{value:,.0f}"
                for value in (row.one, row.other, row.both)
            ]
            halves = [decimal(row.within_one), decimal(row.within_other), decimal(row.between)]
            values = [decimal(row.jaccard), *halves, decimal(row.difference, 3)]
            rows.append((what, f"{row.threshold:g}", *counts, *values))
    return Shown(columns, rows)


def _galleries(found: ComparisonFound) -> list[Gallery]:
    one, other = found.names
    sides = [
        Gallery(
            f"Memorized by {mine} more than by {theirs}",
            [
                Example(each.index, f"{each.one:.2f} and {each.other:.2f}")
                for each in found.disagreements
                if (each.one > each.other) == is_first
            ][:16],
        )
        for mine, theirs, is_first in ((one, other, True), (other, one, False))
    ]
    return [gallery for gallery in sides if gallery.examples]
