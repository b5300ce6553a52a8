"""The section on datamodels: is what a model does a sum over what it was trained on?"""

import numpy as np
import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.formatting import count, decimal
from memtail_core.drawing.section import Example, Gallery, Section, TextTable
from memtail_core.experiments.datamodels import figure
from memtail_core.experiments.datamodels.result import Datamodels
from memtail_core.experiments.judge.result import Score
from memtail_core.experiments.judge.section import with_interval

_SHOWN = 12  # test examples, each with a training example


def section(result: Datamodels, dataset: Dataset) -> Section:
    """Write, list and draw how well datamodels predict."""
    return Section(
        name=result.name,
        title="Can a sum over the training set predict what a model does?",
        findings=_findings(result),
        notes=_notes(result),
        table=datamodels_table(result, dataset),
        summary=_summary(result),
        figures=figure.figures(result),
        galleries=_galleries(result),
    )


def datamodels_table(result: Datamodels, dataset: Dataset) -> pa.Table:
    """Return one row for each test example."""
    of, classes = result.of_test, dataset.classes
    train = [None if i is None else dataset.y_train[i] for i in of.strongest]
    return pa.table(
        {
            "test_index": pa.array(range(len(of.lds)), pa.int64()),
            "lds": pa.array(of.lds, pa.float64()),
            "counted_lds": pa.array(of.counted, pa.float64()),
            "r2": pa.array(of.r2, pa.float64()),
            "nonzero": pa.array(of.nonzero, pa.int64()),
            "penalty": pa.array(of.penalty, pa.float64()),
            "strongest_train_index": pa.array(of.strongest, pa.int64()),
            "weight": pa.array(of.weight, pa.float64()),
            "test_class": pa.array([str(classes[label]) for label in dataset.y_test]),
            "train_class": pa.array(
                [None if label is None else str(classes[label]) for label in train], pa.string()
            ),
            "test_name": pa.array([dataset.test_name(z) for z in range(len(of.lds))]),
            "train_name": pa.array(
                [None if i is None else dataset.train_name(i) for i in of.strongest], pa.string()
            ),
        }
    )


def _findings(result: Datamodels) -> list[str]:
    if result.lds.lds is None:
        return ["All judging models treat every test example alike: there is nothing to predict."]
    sentences = [
        f"Sparse linear models of what a network was trained on predict its {result.outcome} with "
        f"a linear datamodeling score of {with_interval(result.lds)}, a mean over "
        f"{count(result.lds.examples, 'test example')} and "
        f"{result.trials - result.made_from:,} models that they were not made from.",
        f"Influence counted from the same {result.made_from:,} models scores "
        f"{with_interval(result.counted)}; the difference is {with_interval(result.lead)}.",
    ]
    if result.r2 is not None:
        sentences.append(
            f"They predict {result.r2:.0%} of the variance of the {result.outcome} over models (a "
            f"mean over test examples), from {np.median(result.of_test.nonzero):.0f} of "
            f"{result.examples:,} training examples (the median)."
        )
    return sentences


def _notes(result: Datamodels) -> list[str]:
    notes = [
        "The penalty of each test example is the one that predicts best, fold by fold, the models "
        "that a fit has not seen, among those that datamodels are made from. The models that judge "
        "are in none of it. Intervals are over models and test examples.",
        "A weight is what the outcome gains when the example is in the subset, other weights being "
        "as they are. The lasso shrinks weights, and of examples that resemble each other it may "
        "choose one: a weight of 0 does not say that an example has no influence.",
    ]
    if empty := result.of_test.nonzero.count(0):
        notes.append(
            f"{count(empty, 'test example')} is best predicted by the mean alone."
            if empty == 1
            else f"{empty:,} test examples are best predicted by the mean alone."
        )
    return notes


def _summary(result: Datamodels) -> TextTable:
    columns = ("predicted by", "LDS", "95% interval")
    rows = [
        _row("datamodels", result.lds),
        _row("counted influence", result.counted),
        _row("difference", result.lead),
    ]
    return TextTable(columns, rows)


def _row(name: str, score: Score) -> tuple[str, ...]:
    interval = f"{decimal(score.low, 3)} to {decimal(score.high, 3)}"
    return name, decimal(score.lds, 3), interval


def _galleries(result: Datamodels) -> list[Gallery]:
    of = result.of_test
    known = [
        (r2, z, i, weight)
        for z, (r2, i, weight) in enumerate(zip(of.r2, of.strongest, of.weight, strict=True))
        if r2 is not None and i is not None and weight is not None
    ]
    examples = []
    for r2, z, i, weight in sorted(known, reverse=True)[:_SHOWN]:
        examples.append(Example(z, f"test: R² {r2:.2f}", is_test=True))
        examples.append(Example(i, f"weight {weight:+.2f}"))
    title = "The best predicted test examples, each with its heaviest training example"
    return [Gallery(title, examples)] if examples else []
