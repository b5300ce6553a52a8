"""The section on consistency: what is known without being seen, and from how many others."""

import altair as alt
import numpy as np
import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.charts import AMBER, BLUE, GREEN, ORANGE, SKY, figure
from memtail_core.drawing.lines import SHARE, Point, lines, table
from memtail_core.drawing.section import (
    Drawn,
    Example,
    Gallery,
    Section,
    Shown,
    count,
    decimal,
    memorization_between,
)
from memtail_core.experiments.consistency.result import ConsistencyFound, Group

_SHOWN = 24  # examples of a gallery
_COLOURS = (SKY, BLUE, GREEN, AMBER, ORANGE)
_FITS = 0.99  # held-in accuracy
_CAPTION = (
    "How often examples that were held out are classified correctly, over the share of the "
    "training set that models saw: means over examples of about the same memorization."
)


def section(found: ConsistencyFound, dataset: Dataset) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title="What is known without being seen",
        findings=_findings(found),
        notes=_notes(found),
        table=examples_table(found, dataset),
        shown=_shown(found),
        figures=_figures(found),
        galleries=_galleries(found),
    )


def examples_table(found: ConsistencyFound, dataset: Dataset) -> pa.Table:
    """One row for each training example."""
    n = len(found.consistency)
    columns = {
        "index": np.arange(n),
        "memorization": found.memorization,
        "consistency": found.consistency,
        "standard_error": found.error,
    }
    for at, values in zip(found.ratios, found.by_ratio, strict=True):
        columns[f"at_{at.ratio:g}"] = values
    columns["class"] = [str(dataset.classes[label]) for label in dataset.y_train]
    columns["name"] = [dataset.train_name(i) for i in range(n)]
    return pa.table(columns)


def _findings(found: ConsistencyFound) -> list[str]:
    known = [value for value in found.consistency if value is not None]
    over = ", ".join(f"{at.ratio:g}" for at in found.ratios)
    said = [
        f"Held out, the mean training example is classified correctly in {np.mean(known):.1%} of "
        f"models, on average over {over} of the training set; {_never(known):,} examples in less "
        "than one of ten."
    ]
    first, last = found.ratios[0], found.ratios[-1]
    if len(found.ratios) > 1:
        said.append(
            f"From {first.ratio:g} to {last.ratio:g} of the data, accuracy on held-out examples "
            f"goes from {first.held_out:.1%} to {last.held_out:.1%}."
        )
    if found.spearman is not None:
        said.append(f"Its rank correlation with memorization is {found.spearman:.2f}.")
    return said


def _never(known: list[float]) -> int:
    return sum(value < 0.1 for value in known)


def _notes(found: ConsistencyFound) -> list[str]:
    said = [
        "The models of each share were trained as the study's are, for as many epochs: on fewer "
        "examples that is fewer steps. Shares count equally in an example's score."
    ]
    unfit = [at for at in found.ratios if at.held_in < _FITS]
    if unfit:
        which = ", ".join(f"{at.ratio:g} ({at.held_in:.1%})" for at in unfit)
        said.append(
            f"Models of these shares do not fit what they were trained on: {which}. What they get "
            "wrong may only not have been learned yet."
        )
    missing = sum(value is None for value in found.consistency)
    if missing:
        said.append(
            f"{count(missing, 'example')} were never held out at one of the shares: train more "
            "(--trials)."
        )
    return said


def _named(group: Group) -> str:
    return memorization_between(group.low, group.high)


def _shown(found: ConsistencyFound) -> Shown:
    columns = ("what", "examples", *(f"{at.ratio:g}" for at in found.ratios))
    rows = [
        (_named(group), f"{group.examples:,}", *(decimal(v, 3) for v in group.consistency))
        for group in found.groups
        if group.examples
    ]
    for name, said in (("held_in", "held in"), ("held_out", "held out"), ("test", "test")):
        each = [f"{getattr(at, name):.1%}" for at in found.ratios]
        rows.append((f"accuracy {said}", "–", *each))
    rows.append(("models", "–", *(f"{at.trials:,}" for at in found.ratios)))
    return Shown(columns, rows)


def _figures(found: ConsistencyFound) -> dict[str, Drawn]:
    points = [
        Point(
            _named(group), at.ratio, value, f"{_named(group)}, at {at.ratio:g}: {value:.3f}", error
        )
        for group in found.groups
        for at, value, error in zip(found.ratios, group.consistency, group.error, strict=True)
        if value is not None
    ]
    if not points or len(found.ratios) < 2:
        return {}
    names = list(dict.fromkeys(point.of for point in points))
    colours = {
        _named(group): colour
        for group, colour in zip(found.groups, _COLOURS, strict=True)
        if _named(group) in names
    }
    x = alt.X("x:Q", title="share of the training set", scale=SHARE)
    y = alt.Y("y:Q", title="consistency", scale=SHARE)
    layers = lines(points, x, y, colours)
    data = table(points, x="ratio", y="consistency")
    return {"consistency": Drawn(figure(layers, data, _CAPTION), _CAPTION)}


def _galleries(found: ConsistencyFound) -> list[Gallery]:
    known = [(value, i) for i, value in enumerate(found.consistency) if value is not None]
    least = [Example(i, f"{value:.2f}") for value, i in sorted(known)[:_SHOWN]]
    late = [
        Example(each.index, f"{each.first:.2f} → {each.last:.2f}") for each in found.late[:_SHOWN]
    ]
    made = [Gallery("The least consistent: hardly ever right unless seen", least)]
    if late:
        first, last = found.ratios[0].ratio, found.ratios[-1].ratio
        made.append(Gallery(f"Known unseen, but only from many: from {first:g} to {last:g}", late))
    return made
