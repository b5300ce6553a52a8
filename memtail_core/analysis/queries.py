"""Questions about pairs beyond what a report shows: which examples, which direction, how sure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memtail_core import catalogue
from memtail_core.analysis.analysis import refuse_experiments
from memtail_core.analysis.observations import estimate
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator
from memtail_core.estimation.influence import Engine, Evidence, Family, Pairs, find
from memtail_core.estimation.intervals import reaches
from memtail_core.running import trials
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study


@dataclass(frozen=True, eq=False)
class Material:
    """What a question is answered from: the data and every whole trial stored so far."""

    dataset: Dataset
    trials: Trials
    n_damaged: int = 0
    estimator: Estimator = COUNTED

    @classmethod
    def of(
        cls,
        store: ObjectStore,
        study: Study,
        *,
        margins: bool = False,
        estimator: Estimator = COUNTED,
    ) -> Self:
        """Load it, with the models' margins if they are asked for or the estimator needs them.

        Raises:
            EstimationError: there are no trials.
        """
        refuse_experiments(study)
        loaded, damaged = trials.load(store, study, margins=margins or estimator.needs_values)
        if len(loaded) == 0:
            raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
        return cls(catalogue.load_dataset(store, study), loaded, len(damaged), estimator)

    @cached_property
    def scores(self) -> Memorization:
        """The training examples' memorization, by the estimator."""
        return estimate(self.trials, self.dataset, self.estimator)

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
        train, test = self.examples(dataset)
        if self.theta_mem is not None:
            train = train[reaches(material.scores.memorization[train], self.theta_mem)]
        labels_of = (dataset.y_train, dataset.y_test) if self.same_class else None
        return Family.of(train, test, labels_of)

    def examples(self, dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the training and the test examples, memorized or not.

        Raises:
            EstimationError: there is no such example or class.
        """
        train = _chosen(self.train, len(dataset.y_train), "training")
        test = _chosen(self.test, len(dataset.y_test), "test")
        if self.classes:
            labels = [_label(dataset, name) for name in self.classes]
            train = train[np.isin(dataset.y_train[train], labels)]
        return train, test


def influence_of_one(
    material: Material,
    train: int | None,
    test: int | None,
    top: int,
    *,
    engine: Engine,
    most: int,
    harmful: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Pairs:
    """The ``top`` pairs of one example with the most influence: of any class, memorized or not.

    Args:
        material: what is asked.
        train, test: the example, by its index; one of them.
        top: how many.
        engine: what counts.
        most: pairs that may be listed.
        harmful: influence to the worse instead.
        progress: told of pairs that were counted.

    Raises:
        EstimationError: there is no such example.
    """
    examples = [() if one is None else (one,) for one in (train, test)]
    family = Question(examples[0], examples[1], same_class=False).family(material)
    evidence = material.evidence.of_errors() if harmful else material.evidence
    found = find(evidence, family, -1.0, engine=engine, most=most, strongest=top, progress=progress)
    return found.of_harm() if harmful else found


def why_none(material: Material, train: int | None, test: int | None) -> str:
    """Why nothing has any influence on this test example, or this training example on nothing."""
    evidence = material.evidence
    if test is not None:
        how = "right" if evidence.n_correct[test] else "wrong"
        return (
            f"all {evidence.trials} models get test example {test} {how}: nothing has any "
            "influence on it"
        )
    never = "held it out" if evidence.n_in[train] else "trained on it"
    return f"no influence of training example {train} can be estimated: no model {never}"


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
