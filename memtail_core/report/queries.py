"""Questions about pairs beyond what a report shows: which examples, which direction, how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memtail_core import catalogue, estimation, trials
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.influence import Evidence, Family
from memtail_core.estimation.intervals import reaches
from memtail_core.report.analysis import refuse_experiments
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.trials import Trials


@dataclass(frozen=True, eq=False)
class Material:
    """What a question is answered from: the data and every whole trial stored so far."""

    dataset: Dataset
    trials: Trials
    n_damaged: int = 0

    @classmethod
    def of(cls, store: ObjectStore, study: Study, *, margins: bool = False) -> Self:
        """Load it, with the models' margins if asked.

        Raises:
            EstimationError: there are no trials.
        """
        refuse_experiments(study)
        loaded, damaged = trials.load(store, study, margins=margins)
        if len(loaded) == 0:
            raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
        return cls(catalogue.load_dataset(store, study), loaded, len(damaged))

    @cached_property
    def scores(self) -> Memorization:
        """The training examples' memorization."""
        return estimation.memorization(self.trials.subset, self.trials.train_correct, self.trials.n)

    @cached_property
    def evidence(self) -> Evidence:
        """What influence is estimated from."""
        return self.trials.evidence()


@dataclass(frozen=True)
class Question:
    """Which pairs to look at.

    Attributes:
        train, test: examples, by index; none: all.
        classes: names of classes, of which the training examples have to be; none: any.
        same_class: whether both examples have to be of one class.
        theta_mem: least memorization of the training example; None: any, estimated or not.
    """

    train: Sequence[int] = ()
    test: Sequence[int] = ()
    classes: Sequence[str] = ()
    same_class: bool = True
    theta_mem: float | None = None

    def family(self, material: Material) -> Family:
        """Return the pairs that are looked at.

        Raises:
            EstimationError: there is no such example or class.
        """
        dataset = material.dataset
        train = _chosen(self.train, len(dataset.y_train), "training")
        test = _chosen(self.test, len(dataset.y_test), "test")
        if self.classes:
            labels = [_label(dataset, name) for name in self.classes]
            train = train[np.isin(dataset.y_train[train], labels)]
        if self.theta_mem is not None:
            train = train[reaches(material.scores.memorization[train], self.theta_mem)]
        labels_of = (dataset.y_train, dataset.y_test) if self.same_class else None
        return Family.of(train, test, labels_of)


def _chosen(indices: Sequence[int], n: int, kind: str) -> NDArray[np.int64]:
    if not indices:
        return np.arange(n)
    for index in indices:
        if not 0 <= index < n:
            raise EstimationError(f"there is no {kind} example {index}: they are 0 to {n - 1}")
    return np.unique(np.array(indices, np.int64))


def _label(dataset: Dataset, name: str) -> int:
    names = [str(each) for each in dataset.classes]
    if name not in names:
        some = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
        raise EstimationError(f"there is no class '{name}': they are {some}")
    return names.index(name)
