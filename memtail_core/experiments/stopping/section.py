"""The section on stopping: what was asked of the study, and how it got there."""

import altair as alt
import pyarrow as pa

from memtail_core.drawing.charts import BLUE, GREEN, INK, ORANGE, PINK, SKY, figure
from memtail_core.drawing.lines import Point, lines, table
from memtail_core.drawing.section import Drawn, Section, Shown, count, decimal
from memtail_core.experiments.stopping.result import StoppingFound

_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, INK)
_CAPTION = "What each rule said at each look of the run that ended here."
_REASONS = {
    "enough": "It was reached with {n} models: {met}.",
    "trials": "It was not reached with the {n} models there were to be at most.",
    "hours": "It was not reached in the time there was: there are {n} models.",
}


def section(found: StoppingFound) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title="When it was good enough",
        findings=_findings(found),
        notes=_notes(found),
        table=_table(found),
        shown=_shown(found),
        figures=_figures(found),
    )


def _findings(found: StoppingFound) -> list[str]:
    met = "; ".join(found.looks[-1].met) if found.looks else ""
    asked = " or ".join(f"“{each}”" for each in found.conditions)
    return [
        f"The study was to be trained until {asked}. "
        + _REASONS[found.reason].format(n=f"{found.trials:,}", met=met)
    ]


def _notes(found: StoppingFound) -> list[str]:
    said = [
        "se is the largest standard error of any example's memorization, with one success and one "
        "failure added to either group, so that it is not 0 where all models agree. Stable at a "
        "value: two studies as large as this one are expected to agree so well, by the Jaccard "
        "index of the memorized (memorization ≥ 0.25) or the share of the most memorized they have "
        "in common; from ten splits into halves, and the law of their growth.",
    ]
    if found.decided:
        said.append(
            f"{count(len(found.decided), 'example')} alone kept the error from being small enough "
            "at some look, and so had a say in when to stop. Each interval of theirs is the hull "
            "of the one at the end and the one at the first look at which all others were "
            "precise enough, whose time they had no say in. All other intervals are as they are."
        )
    return said


def _table(found: StoppingFound) -> pa.Table:
    rows = [
        {"trials": look.trials, **each.model_dump()} for look in found.looks for each in look.rules
    ]
    return pa.Table.from_pylist(rows)


def _shown(found: StoppingFound) -> Shown:
    rules = [each.rule for each in found.looks[-1].rules] if found.looks else []
    rows = [
        (f"{look.trials:,}", *(decimal(each.value, 3) for each in look.rules))
        for look in found.looks
    ]
    return Shown(("models", *rules), rows, words=0)


def _figures(found: StoppingFound) -> dict[str, Drawn]:
    points = [
        Point(
            each.rule,
            look.trials,
            each.value,
            f"{each.rule}: {each.value:.3f} with {look.trials:,} models",
        )
        for look in found.looks
        for each in look.rules
        if each.value is not None
    ]
    if len({point.x for point in points}) < 2:
        return {}
    rules = list(dict.fromkeys(point.of for point in points))
    colours = {rule: _COLOURS[k % len(_COLOURS)] for k, rule in enumerate(rules)}
    x = alt.X("x:Q", title="models", scale=alt.Scale(zero=False))
    y = alt.Y("y:Q", title="value", scale=alt.Scale(zero=True))
    layers = lines(points, x, y, colours)
    return {"stopping": Drawn(figure(layers, table(points, x="trials"), _CAPTION), _CAPTION)}
