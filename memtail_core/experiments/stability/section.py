"""The section on stability: would another study say the same?"""

import pyarrow as pa

from memtail_core.drawing.section import Section, Shown, decimal
from memtail_core.experiments.stability import figure
from memtail_core.experiments.stability.figure import NAMES
from memtail_core.experiments.stability.result import AtThreshold, Growth, StabilityFound


def section(found: StabilityFound) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title="Would another study say the same?",
        findings=_findings(found),
        notes=_notes(found),
        table=_table(found),
        shown=_shown(found),
        figures=figure.figures(found),
    )


def _findings(found: StabilityFound) -> list[str]:
    memorized, pairs, correlation = found.growth[:3]
    half = memorized.sizes[-1]
    at = f"memorization ≥ {found.theta_mem:g}"
    said = [
        f"Two halves of {half:,} models each agree on the examples with {at} at "
        f"{decimal(memorized.values[-1])} (Jaccard), and on the high-influence pairs (influence "
        f"≥ {found.theta_infl:g}) at {decimal(pairs.values[-1])}; their memorization correlates at "
        f"{decimal(correlation.values[-1], 3)}."
    ]
    whole = [
        f"{NAMES[each.name]} {decimal(each.expected_of_whole)}"
        for each in (memorized, pairs)
        if each.expected_of_whole is not None
    ]
    if whole:
        said.append(
            f"Two studies as large as this one, {found.trials:,} models each, are expected to "
            f"agree at: {', '.join(whole)}."
        )
    said += [_needed(each, found) for each in (memorized, pairs)]
    return said


def _needed(growth: Growth, found: StabilityFound) -> str:
    what = NAMES[growth.name]
    if growth.needed is None:
        return (
            f"How many models it takes to agree at {found.wanted:g} on {what}, these models do not "
            "tell: they are too few, or what they select is mostly chance."
        )
    how = "measured" if growth.is_measured else "extrapolated"
    enough = "are enough" if found.trials >= growth.needed else "are too few"
    return (
        f"To agree at {found.wanted:g} on {what} takes about {growth.needed:,} models ({how}); "
        f"the {found.trials:,} of this study {enough}."
    )


def _notes(found: StabilityFound) -> list[str]:
    said = [
        f"{found.splits} random splits at each size, of whole blocks of trials that were drawn "
        "together. Splits are of the same models: their spread is no standard error. A figure is "
        "missing where no example or pair reaches the threshold, or too many to list.",
    ]
    for what, empty in (("example", found.empty), ("pair", found.empty_influence)):
        if empty:
            said.append(f"No {what} reaches {', '.join(f'{each:g}' for each in empty)}.")
    if found.left_out:
        said.append(f"{found.left_out:,} models of incomplete blocks were left out.")
    return said


def _table(found: StabilityFound) -> pa.Table:
    """Sets agree by their Jaccard index, scores by their correlation or mean difference."""
    half = found.growth[0].sizes[-1]
    rows: list[dict[str, str | float | None]] = []
    for of, each in (("memorized", found.memorized), ("pairs", found.pairs)):
        for at in each:
            row = at.model_dump()
            agreement = row.pop("jaccard")
            rows.append({"of": of, "trials": half, "agreement": agreement, **row})
    for growth in found.growth:
        threshold = {"memorized": found.theta_mem, "pairs": found.theta_infl}.get(growth.name)
        for size, value, deviation in zip(growth.sizes, growth.values, growth.spreads, strict=True):
            rows.append(
                {
                    "of": f"growth of {growth.name}",
                    "trials": size,
                    "agreement": value,
                    "threshold": threshold,
                    "spread": deviation,
                }
            )
    return pa.Table.from_pylist(rows)


def _shown(found: StabilityFound) -> Shown:
    columns = ("what", "from", "selected", "Jaccard", "± splits", "difference")

    def row(what: str, at: AtThreshold) -> tuple[str, ...]:
        selected = "too many" if at.selected is None else f"{at.selected:,.0f}"
        values = (decimal(at.jaccard), decimal(at.spread, 3), decimal(at.difference, 3))
        return (what, f"{at.threshold:g}", selected, *values)

    rows = [row("memorization", at) for at in found.memorized]
    return Shown(columns, [*rows, *(row("influence", at) for at in found.pairs)])
