"""The section on stopping: what was asked for, and whether and how the study got there."""

import pyarrow as pa

from memtail_core.drawing.formatting import count, decimal
from memtail_core.drawing.section import Section, TextTable
from memtail_core.experiments.stopping import figure
from memtail_core.experiments.stopping.result import StoppingHistory

_REASONS = {
    "enough": "With {n} models this condition was met: {met}.",
    "trials": "No condition was met with {n} models, the most allowed.",
    "hours": "No condition was met in the time allowed, in which {n} models were trained.",
}


def section(result: StoppingHistory) -> Section:
    """Write, list and draw how the study came to its end."""
    return Section(
        name=result.name,
        title="When the study had enough models",
        findings=_findings(result),
        notes=_notes(result),
        table=_table(result),
        summary=_summary(result),
        figures=figure.figures(result),
    )


def _findings(result: StoppingHistory) -> list[str]:
    met = "; ".join(result.looks[-1].met) if result.looks else ""
    asked = " or ".join(f"“{each}”" for each in result.conditions)
    return [
        f"The study was to be trained until {asked}. "
        + _REASONS[result.reason].format(n=f"{result.trials:,}", met=met)
    ]


def _notes(result: StoppingHistory) -> list[str]:
    notes = [
        "se is the largest standard error of any example's memorization, with one success and one "
        "failure added to each group so that it is above 0 even where all models agree. Stable at "
        "a value means that two studies as large as this one are expected to agree that well: by "
        "the Jaccard index of the memorized examples (memorization ≥ 0.25), or by the share of the "
        "most memorized that they have in common. The estimate comes from ten splits into halves "
        "and from how their agreement grows.",
    ]
    if result.decided:
        notes.append(
            f"{count(len(result.decided), 'example')} alone kept the error from being small enough "
            "at some look, and so influenced when to stop. Their intervals are widened: each is "
            "the hull of the interval at the end and the interval at the first look at which all "
            "other examples were precise enough. All other intervals are unchanged."
        )
    return notes


def _table(result: StoppingHistory) -> pa.Table:
    rows = [
        {"trials": look.trials, **each.model_dump()} for look in result.looks for each in look.rules
    ]
    return pa.Table.from_pylist(rows)


def _summary(result: StoppingHistory) -> TextTable:
    rules = [each.rule for each in result.looks[-1].rules] if result.looks else []
    rows = [
        (f"{look.trials:,}", *(decimal(each.value, 3) for each in look.rules))
        for look in result.looks
    ]
    return TextTable(("models", *rules), rows, words=0)
