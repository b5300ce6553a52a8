"""The section on consistency: how often are examples classified correctly when held out?"""

import numpy as np
import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.formatting import MISSING, count, decimal
from memtail_core.drawing.section import (
    Example,
    Gallery,
    Section,
    TextTable,
)
from memtail_core.experiments.consistency import figure
from memtail_core.experiments.consistency.figure import name_of
from memtail_core.experiments.consistency.result import Consistency

_SHOWN = 24  # examples of a gallery
_FITS = 0.99  # held-in accuracy


def section(result: Consistency, dataset: Dataset) -> Section:
    """Write, list and draw how consistent examples are."""
    return Section(
        name=result.name,
        title="What models get right without training on it",
        findings=_findings(result),
        notes=_notes(result),
        table=examples_table(result, dataset),
        summary=_summary(result),
        figures=figure.figures(result),
        galleries=_galleries(result),
    )


def examples_table(result: Consistency, dataset: Dataset) -> pa.Table:
    """Return one row for each training example."""
    n = len(result.consistency)
    columns = {
        "index": np.arange(n),
        "memorization": result.memorization,
        "consistency": result.consistency,
        "standard_error": result.error,
    }
    for at, values in zip(result.ratios, result.by_ratio, strict=True):
        columns[f"at_{at.ratio:g}"] = values
    columns["class"] = [str(dataset.classes[label]) for label in dataset.y_train]
    columns["name"] = [dataset.train_name(i) for i in range(n)]
    return pa.table(columns)


def _findings(result: Consistency) -> list[str]:
    known = [value for value in result.consistency if value is not None]
    over = ", ".join(f"{at.ratio:g}" for at in result.ratios)
    sentences = [
        f"When held out, training examples are classified correctly by {np.mean(known):.1%} of "
        f"models on average (over models trained on {over} of the training set). "
        f"{count(_rare(known), 'example')} {'is' if _rare(known) == 1 else 'are'} classified "
        "correctly by fewer than one model in ten."
    ]
    first, last = result.ratios[0], result.ratios[-1]
    if len(result.ratios) > 1:
        sentences.append(
            f"From {first.ratio:g} to {last.ratio:g} of the data, accuracy on held-out examples "
            f"goes from {first.held_out:.1%} to {last.held_out:.1%}."
        )
    if result.spearman is not None:
        sentences.append(
            f"The rank correlation of consistency with memorization is {result.spearman:.2f}."
        )
    return sentences


def _rare(known: list[float]) -> int:
    return sum(value < 0.1 for value in known)


def _notes(result: Consistency) -> list[str]:
    notes = [
        "The models of each share were trained like the study's, for as many epochs; on fewer "
        "examples that is fewer steps. All shares count equally in an example's score."
    ]
    unfit = [at for at in result.ratios if at.held_in < _FITS]
    if unfit:
        which = ", ".join(f"{at.ratio:g} ({at.held_in:.1%})" for at in unfit)
        notes.append(
            f"Models of these shares do not fit their training sets (held-in accuracy): {which}. "
            "What they get wrong they may just not have learned yet."
        )
    missing = sum(value is None for value in result.consistency)
    if missing:
        notes.append(
            f"{count(missing, 'example')} {'was' if missing == 1 else 'were'} never held out at "
            "one of the shares: train more models (--trials)."
        )
    return notes


def _summary(result: Consistency) -> TextTable:
    columns = ("what", "examples", *(f"{at.ratio:g}" for at in result.ratios))
    rows = [
        (name_of(group), f"{group.examples:,}", *(decimal(v, 3) for v in group.consistency))
        for group in result.groups
        if group.examples
    ]
    for name, title in (("held_in", "held in"), ("held_out", "held out"), ("test", "test")):
        each = [f"{getattr(at, name):.1%}" for at in result.ratios]
        rows.append((f"accuracy {title}", MISSING, *each))
    rows.append(("models", MISSING, *(f"{at.trials:,}" for at in result.ratios)))
    return TextTable(columns, rows)


def _galleries(result: Consistency) -> list[Gallery]:
    known = [(value, i) for i, value in enumerate(result.consistency) if value is not None]
    least = [Example(i, f"{value:.2f}") for value, i in sorted(known)[:_SHOWN]]
    late = [
        Example(each.index, f"{each.first:.2f} → {each.last:.2f}") for each in result.late[:_SHOWN]
    ]
    made = [Gallery("The least consistent: rarely right unless trained on", least)]
    if late:
        first, last = result.ratios[0].ratio, result.ratios[-1].ratio
        made.append(
            Gallery(f"Right only with many other examples: from {first:g} to {last:g}", late)
        )
    return made
