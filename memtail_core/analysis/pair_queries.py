"""Questions about pairs beyond what a report shows: which examples, which direction, how sure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.loaded_study import LoadedStudy
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import mean_influence
from memtail_core.estimation.influence import Family, PairCounter, Pairs, find
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.measures import CORRECTNESS


@dataclass(frozen=True)
class PairQuery:
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

    def family(self, material: LoadedStudy) -> Family:
        """Return the pairs that are looked at.

        Raises:
            EstimationError: there is no such example or class.
        """
        dataset = material.dataset
        train, test = self.examples(dataset)
        above = None
        if self.theta_mem is not None:
            train = train[reaches(material.scores.memorization[train], self.theta_mem)]
            above = material.scores.memorization - self.theta_mem
        labels_of = (dataset.y_train, dataset.y_test) if self.same_class else None
        return Family.of(train, test, labels_of, above)

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
    material: LoadedStudy,
    train: int | None,
    test: int | None,
    top: int,
    *,
    counter: PairCounter,
    most: int,
    harmful: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Pairs:
    """The ``top`` pairs of one example with the most influence: of any class, memorized or not.

    Influence is by the measure of the material's estimator.

    Args:
        material: what is asked.
        train, test: the example, by its index; one of them.
        top: how many.
        counter: counts the pairs, on the CPU or a GPU.
        most: pairs that may be listed.
        harmful: influence to the worse instead.
        progress: called with the number of pairs done since the last call.

    Raises:
        EstimationError: there is no such example.
    """
    examples = [() if one is None else (one,) for one in (train, test)]
    family = PairQuery(examples[0], examples[1], same_class=False).family(material)
    if (measure := material.estimator.measure) is not CORRECTNESS:
        means = material.mean_evidence.of_harm() if harmful else material.mean_evidence
        found = mean_influence.find(
            means,
            family,
            -measure.span,
            threads=counter.threads,
            most=most,
            strongest=top,
            progress=progress,
        ).pairs
    else:
        evidence = material.evidence.of_errors() if harmful else material.evidence
        found = find(
            evidence, family, -1.0, counter=counter, most=most, strongest=top, progress=progress
        )
    return found.of_harm() if harmful else found


def why_none(material: LoadedStudy, train: int | None, test: int | None) -> str:
    """Why nothing has any influence on this test example, or this training example on nothing."""
    if (measure := material.estimator.measure) is not CORRECTNESS:
        if test is not None:
            return (
                f"{measure.said} is the same in all {len(material.trials)} models for test "
                f"example {test}: nothing has any influence on it"
            )
        return (
            f"no influence of training example {train} can be estimated: at least two models have "
            "to have trained on it, and two held it out"
        )
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
