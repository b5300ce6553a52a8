"""The rows of the page's table of classes."""

from dataclasses import dataclass

import numpy as np

from memtail_core.analysis.analysis import Analysis


@dataclass(frozen=True)
class ClassRow:
    """One class: its training examples with scores, those memorized, means of their scores."""

    name: str
    n: int
    memorized: int
    mean: float
    held_out: float


def class_rows(analysis: Analysis) -> list[ClassRow]:
    """Return a row for each class with scores, the largest mean memorization first."""
    rows = []
    scores, y = analysis.scores, analysis.dataset.y_train
    scored = np.flatnonzero(~np.isnan(scores.memorization))
    by_class = scored[np.argsort(y[scored], kind="stable")]
    ends = np.searchsorted(y[by_class], np.arange(len(analysis.dataset.classes)), "right")
    for name, members in zip(analysis.dataset.classes, np.split(by_class, ends), strict=False):
        if not len(members):
            continue
        values = scores.memorization[members]
        rows.append(
            ClassRow(
                name=name,
                n=len(members),
                memorized=int(analysis.rule.is_memorized(values).sum()),
                mean=float(values.mean()),
                held_out=float(scores.accuracy_out[members].mean()),
            )
        )
    return sorted(rows, key=lambda row: -row.mean)
