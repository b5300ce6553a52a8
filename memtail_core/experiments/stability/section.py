"""The section on stability: would another study say the same?"""

import pyarrow as pa

from memtail_core.drawing.formatting import decimal
from memtail_core.drawing.section import Section, TextTable
from memtail_core.experiments import measured
from memtail_core.experiments.stability import figure
from memtail_core.experiments.stability.figure import NAMES
from memtail_core.experiments.stability.result import AtThreshold, Growth, Stability


def section(result: Stability) -> Section:
    """Write, list and draw how well halves of the study agree."""
    return Section(
        name=result.name,
        title="Would another study say the same?" + measured.in_title(result.measure),
        findings=_findings(result),
        notes=_notes(result),
        table=_table(result),
        summary=_summary(result),
        figures=figure.figures(result),
    )


def _findings(result: Stability) -> list[str]:
    memorized, pairs, correlation = result.growth[:3]
    half = memorized.sizes[-1]
    sentences = [
        f"Two halves of {half:,} models each agree at {decimal(memorized.values[-1])} (Jaccard "
        f"index) on the examples with memorization ≥ {result.theta_mem:g}, and at "
        f"{decimal(pairs.values[-1])} on the high-influence pairs (influence ≥ "
        f"{result.theta_infl:g}). The correlation of their memorization is "
        f"{decimal(correlation.values[-1], 3)}.",
        *measured.sentences(result.measure),
    ]
    whole = [
        f"{decimal(each.expected_of_whole)} on {NAMES[each.name]}"
        for each in (memorized, pairs)
        if each.expected_of_whole is not None
    ]
    if whole:
        sentences.append(
            f"Two studies as large as this one, {result.trials:,} models each, are expected to "
            f"agree at {' and '.join(whole)}."
        )
    return sentences + [_needed(each, result) for each in (memorized, pairs)]


def _needed(growth: Growth, result: Stability) -> str:
    what = NAMES[growth.name]
    if growth.needed is None:
        return (
            f"How many models it takes to agree at {result.wanted:g} on {what} cannot be told from "
            "these models: there are too few, or what they select is mostly chance."
        )
    how = "measured" if growth.is_measured else "extrapolated"
    enough = "are enough" if result.trials >= growth.needed else "are too few"
    return (
        f"To agree at {result.wanted:g} on {what} takes about {growth.needed:,} models ({how}). "
        f"The {result.trials:,} of this study {enough}."
    )


def _notes(result: Stability) -> list[str]:
    notes = [
        f"There are {result.splits} random splits of each size. They keep trials together that "
        "were drawn together. All splits are of the same models, so their spread is not a standard "
        "error. A number is missing where no example or pair reaches the threshold, or too many do "
        "to be listed.",
    ]
    for what, empty in (("example", result.empty), ("pair", result.empty_influence)):
        if empty:
            notes.append(f"No {what} reaches {', '.join(f'{each:g}' for each in empty)}.")
    if result.left_out:
        notes.append(f"{result.left_out:,} models of incomplete blocks were left out.")
    return notes


def _table(result: Stability) -> pa.Table:
    """Sets agree by their Jaccard index, scores by their correlation or mean difference."""
    half = result.growth[0].sizes[-1]
    rows: list[dict[str, str | float | None]] = []
    for of, each in (("memorized", result.memorized), ("pairs", result.pairs)):
        for at in each:
            row = at.model_dump()
            agreement = row.pop("jaccard")
            rows.append({"of": of, "trials": half, "agreement": agreement, **row})
    for growth in result.growth:
        threshold = {"memorized": result.theta_mem, "pairs": result.theta_infl}.get(growth.name)
        for size, value, spread in zip(growth.sizes, growth.values, growth.spreads, strict=True):
            rows.append(
                {
                    "of": f"growth of {growth.name}",
                    "trials": size,
                    "agreement": value,
                    "threshold": threshold,
                    "spread": spread,
                }
            )
    return pa.Table.from_pylist(rows)


def _summary(result: Stability) -> TextTable:
    columns = ("what", "from", "selected", "Jaccard", "± splits", "difference")

    def row(what: str, at: AtThreshold) -> tuple[str, ...]:
        selected = "too many" if at.selected is None else f"{at.selected:,.0f}"
        values = (decimal(at.jaccard), decimal(at.spread, 3), decimal(at.difference, 3))
        return (what, f"{at.threshold:g}", selected, *values)

    rows = [row("memorization", at) for at in result.memorized]
    return TextTable(columns, [*rows, *(row("influence", at) for at in result.pairs)])
