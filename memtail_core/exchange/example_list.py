"""What memtail says of each training example: what the lists for other tools are made of.

A label is *doubted* where it is more likely wrong than right (:mod:`.label_noise`). The class that
is *predicted* is the one with the highest mean probability over the models that held the example
out; only studies that keep probabilities have it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.neighbours import Space
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.label_noise import label_noise
from memtail_core.exchange.stored import StoredStudy
from memtail_core.experiments.results import kept
from memtail_core.experiments.subgroups.plan import DOUBTED, label_probability
from memtail_core.experiments.subgroups.result import Subgroups
from memtail_core.running import features

_NEIGHBOURS = 3
_SCORES = ("memorization", "standard_error", "ci_low", "ci_high", "n_in", "n_out")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExampleList:
    """n training examples, in the order of the dataset.

    Attributes:
        dataset: the examples.
        scores: their memorization, counted.
        held_out: the probabilities of their classes; None where the study keeps none.
        label_probability: float64 [n], that held-out models give the label; NaN where none can.
        wrong_probability: float64 [n], that the label is wrong; NaN where that is.
        neighbours: int64 [n, 3], the nearest other training examples; −1 where there are fewer.
        vectors: float32 [n, p], the examples as they are compared for that.
        category: what ``memtail subgroups`` says of each, or ""; None if it did not run on these
            trials.
    """

    dataset: Dataset
    scores: Memorization
    held_out: HeldOut | None
    label_probability: Floats
    wrong_probability: Floats
    neighbours: NDArray[np.int64]
    vectors: NDArray[np.float32]
    category: tuple[str, ...] | None

    @property
    def order(self) -> NDArray[np.int64]:
        """All examples, those whose labels are most likely wrong first."""
        return np.argsort(-np.nan_to_num(self.wrong_probability, nan=-1.0), kind="stable")

    @property
    def is_doubted(self) -> NDArray[np.bool_]:
        """Whether the label is more likely wrong than right, bool [n]."""
        return np.nan_to_num(self.wrong_probability, nan=0.0) >= DOUBTED

    def predicted(self) -> tuple[NDArray[np.int64], Floats]:
        """The most probable class of each example, int64 [n], and its probability, float64 [n].

        −1 and NaN where the study keeps no probabilities or no model held the example out.
        """
        n = len(self.dataset.y_train)
        if self.held_out is None:
            return np.full(n, -1), np.full(n, np.nan)
        mean = self.held_out.mean
        known = self.held_out.n_out > 0
        best = np.where(known, np.nan_to_num(mean).argmax(1), -1)
        return best, np.where(known, np.nan_to_num(mean).max(1), np.nan)

    def table(self) -> pa.Table:
        """Make a row per example; what is not known is null."""
        dataset, n = self.dataset, len(self.dataset.y_train)
        best, probability = self.predicted()
        classes = np.array([*dataset.classes, None], dtype=object)  # the last stands for −1
        names = [dataset.train_name(i) for i in range(n)]
        near = [[int(j) for j in row if j >= 0] for row in self.neighbours]
        columns = {
            "index": pa.array(np.arange(n)),
            "name": pa.array(names, pa.string()),
            "label": pa.array(classes[dataset.y_train], pa.string()),
            "predicted": pa.array(classes[best], pa.string()),
            "predicted_probability": _known(probability),
            "label_probability": _known(self.label_probability),
            "mislabeled_probability": _known(self.wrong_probability),
        }
        columns |= {name: _known(getattr(self.scores, name)) for name in _SCORES}
        columns["category"] = pa.array(self.category or [None] * n, pa.string())
        columns["neighbours"] = pa.array(near, pa.list_(pa.int64()))
        columns["neighbour_labels"] = pa.array(
            [[dataset.classes[dataset.y_train[j]] for j in row] for row in near],
            pa.list_(pa.string()),
        )
        return pa.table(columns)


def example_list(study: StoredStudy, to: str) -> ExampleList:
    """Read all trials of a study, and say what follows of each training example.

    Args:
        study: which.
        to: the name of the format, for messages.

    Raises:
        EstimationError: the examples have no labels, or nothing is known of them.
        StoreError: a shard is damaged.
    """
    dataset = study.dataset
    if not dataset.is_labelled:
        raise EstimationError(
            f"{study.study.id} has no labels, and {to} lists what is right or wrong with labels: "
            "memtail scores writes its scores"
        )
    trials = study.trials()
    probability = label_probability(trials, dataset.y_train)
    space = Space.of(features.stored(study.store, study.study, dataset) or dataset)
    return ExampleList(
        dataset=dataset,
        scores=trials.counted(),
        held_out=study.held_out,
        label_probability=probability,
        wrong_probability=label_noise(probability, len(dataset.classes)).probability,
        neighbours=space.of_train(_NEIGHBOURS).index,
        vectors=space.train,
        category=_categories(study, len(trials), trials.n),
    )


def flat(table: pa.Table) -> pa.Table:
    """Write lists as words with spaces between, for files that have no lists."""
    for at, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            words = [" ".join(map(str, row)) for row in table.column(at).to_pylist()]
            table = table.set_column(at, field.name, pa.array(words, pa.string()))
    return table


def _categories(study: StoredStudy, n_trials: int, n: int) -> tuple[str, ...] | None:
    of_these = [r for r in kept(study.store, study.study, Subgroups) if r.trials == n_trials]
    if not of_these:
        return None
    category = ["typical"] * n
    for member in of_these[-1].members:
        category[member.index] = member.category
    return tuple(category)


def _known(values: NDArray[np.generic]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)
