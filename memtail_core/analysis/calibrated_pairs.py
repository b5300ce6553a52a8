"""A study's calibrated influence: its trials, its memorized examples, and how alike inputs are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.queries import Material, Question
from memtail_core.data import Dataset
from memtail_core.data.neighbours import Space
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.calibrated import (
    CALIBRATED,
    CalibratedPairs,
    calibrated_influence,
)
from memtail_core.estimation.calibrated.influence import BYTES_A_PAIR
from memtail_core.estimation.influence import Family, PairsRule
from memtail_core.estimation.intervals import reaches
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study

MOST_CANDIDATES = 10_000_000
_FEWEST_TRIALS = 4  # two in each half
_COLUMNS = 512  # test examples compared at once


@dataclass(frozen=True, eq=False)
class Candidates:
    """The pairs that are looked at: memorized training examples and test examples of their class.

    Attributes:
        train, test: int64 [P].
        found: their estimates.
        scores: the calibrated memorization of every training example.
        n_damaged: shards that were left out.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    found: CalibratedPairs
    scores: Memorization
    dataset: Dataset
    n_trials: int
    n_damaged: int = 0

    def listed(self, theta: float, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Rows of those among them with at least this influence, the strongest first."""
        rows = np.flatnonzero(reaches(self.found.influence, theta) & among)
        return rows[np.argsort(-self.found.influence[rows], kind="stable")]

    def asked(self, question: Question) -> NDArray[np.bool_]:
        """Which of them are of the question's examples and classes, bool [P].

        Raises:
            EstimationError: there is no such example or class.
        """
        train, test = question.examples(self.dataset)
        return np.isin(self.train, train) & np.isin(self.test, test)


def calibrate_pairs_stored(store: ObjectStore, study: Study, rule: PairsRule) -> Candidates:
    """Estimate the candidates' influence from all that is stored of a study.

    Raises:
        EstimationError: there are fewer than four trials, or too many candidates, or the trials
            are an experiment's.
    """
    material = Material.of(store, study, estimator=CALIBRATED)
    dataset, trials = material.dataset, material.trials
    if len(trials) < _FEWEST_TRIALS:
        raise EstimationError(
            f"{study.id} has {len(trials)} trained models: calibrated influence takes at least "
            f"{_FEWEST_TRIALS}"
        )
    return calibrate_pairs(
        trials, dataset, material.scores, Space.of(dataset), rule, n_damaged=material.n_damaged
    )


def calibrate_pairs(
    trials: Trials,
    dataset: Dataset,
    scores: Memorization,
    space: Space,
    rule: PairsRule,
    *,
    n_damaged: int = 0,
) -> Candidates:
    """Estimate from these trials; candidates are memorized by ``scores``.

    Takes ``BYTES_A_PAIR`` for each, so at most 2.5 GB, beside the trials unpacked: a byte for each
    bit, 4 for each margin on the test set.

    Raises:
        EstimationError: there are more than ``MOST_CANDIDATES``.
    """
    memorized = np.flatnonzero(rule.is_memorized(scores.memorization))
    family = Family.of(memorized, np.arange(trials.n_test), (dataset.y_train, dataset.y_test))
    if family.n_pairs > MOST_CANDIDATES:
        raise EstimationError(
            f"{family.n_pairs:,} pairs of a memorized training example and a test example of its "
            f"class, {family.n_pairs * BYTES_A_PAIR / 1e9:.1f} GB: calibrated influence looks at "
            f"{MOST_CANDIDATES:,} at most; raise --min-memorization"
        )
    train, test = pairs_of(family)
    likeness, rank = _alike(space, dataset, family)
    inside, correct = (
        np.unpackbits(bits, axis=1, count=n).astype(np.bool_)
        for bits, n in ((trials.subset, trials.n), (trials.test_correct, trials.n_test))
    )
    found = calibrated_influence(
        inside,
        correct,
        train,
        test,
        margin=trials.test_margin,
        memorization=scores.memorization,
        accuracy_out=scores.accuracy_out,
        likeness=likeness,
        rank=rank,
    )
    return Candidates(train, test, found, scores, dataset, len(trials), n_damaged)


def pairs_of(family: Family) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of a family, int64 [P] each, by group and training example."""
    nothing = [np.zeros(0, np.int64)]
    train = [np.repeat(rows, len(columns)) for rows, columns in family.groups]
    test = [np.tile(columns, len(rows)) for rows, columns in family.groups]
    return np.concatenate(train or nothing), np.concatenate(test or nothing)


def _alike(
    space: Space, dataset: Dataset, family: Family
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The cosine of the two inputs, and its rank among all training examples of the class."""
    likeness, rank = [], []
    train, test = (_unit(points) for points in (space.train, space.test))
    for rows, columns in family.groups:
        of_class = np.flatnonzero(dataset.y_train == dataset.y_train[rows[0]])
        at = np.searchsorted(of_class, rows)
        cosines = np.empty((len(rows), len(columns)), np.float32)
        ranks = np.empty_like(cosines)
        for start in range(0, len(columns), _COLUMNS):
            part = slice(start, start + _COLUMNS)
            found = train[of_class] @ test[columns[part]].T
            cosines[:, part] = found[at]
            order = np.argsort(-found, axis=0, kind="stable")
            places = np.empty_like(order)
            np.put_along_axis(places, order, np.arange(len(found))[:, None], axis=0)
            ranks[:, part] = places[at]
        likeness.append(cosines.ravel())
        rank.append(ranks.ravel())
    nothing = [np.zeros(0, np.float32)]
    return np.concatenate(likeness or nothing), np.concatenate(rank or nothing)


def _unit(points: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.square(points).sum(axis=1, keepdims=True))
    found: NDArray[np.float32] = points / np.maximum(length, np.float32(1e-12))
    return found
