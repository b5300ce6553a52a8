"""One pass over the scores of an attribution: everything that is judged of them.

Scores may be larger than memory, or take long to compute, so each block of training examples is
read once: its sums over the judging trials' subsets, each training example's harm, and the training
examples that score highest for some test examples.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.datamodeling import DatamodelingScore, Mean, datamodeling_score
from memtail_core.estimation.intervals import is_between
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.judge.scores import Scores, rows_at_once
from memtail_core.running.matrices import included
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BY_MEMORIZATION = ((-1.0, 0.05), (0.05, THETA_MEM), (THETA_MEM, 1.0))
"""Groups of training examples by their memorization: from, below; the last includes its end."""


@dataclass(frozen=True, eq=False)
class Question:
    """What the scores are judged by.

    Attributes:
        judging: m trials.
        outcome: [m, n_test], what they made of the test examples.
        group: int64 [m], the block of each.
        memorization: float64 [n], of the training examples; NaN where it is not known.
        tests: int64, ascending, test examples whose highest-scored training examples are wanted.
        most: how many of them.
    """

    judging: Trials
    outcome: NDArray[np.float32]
    group: Indices
    memorization: Floats
    tests: Indices
    most: int

    @property
    def groups(self) -> Indices:
        """Each training example's group by memorization, int64 [n]; the last has none known."""
        group = np.full(len(self.memorization), len(BY_MEMORIZATION))
        for number, (low, high) in enumerate(BY_MEMORIZATION):
            group[is_between(self.memorization, low, high)] = number
        return group

    @property
    def memorized(self) -> list[int]:
        """How many training examples are in each group."""
        counts = np.bincount(self.groups, minlength=len(BY_MEMORIZATION) + 1)
        return [int(count) for count in counts[:-1]]

    def score(self, predicted: NDArray[np.float32]) -> DatamodelingScore:
        """Score predictions [m, n_test]."""
        return datamodeling_score(predicted, self.outcome, self.group)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read of an attribution.

    Attributes:
        scores: the attribution.
        seconds: that reading took, which for memtail's methods is computing.
        score: of the sums over subsets.
        by_memorization: the mean score of the sums over those of a subset's examples that are in a
            group of ``BY_MEMORIZATION``; None for a group of none.
        harm: float64 [n], minus the mean score over test examples.
        highest: int64 [most, tests], for each of the test examples the training examples with the
            highest scores, the highest first.
    """

    scores: Scores
    seconds: float
    score: DatamodelingScore
    by_memorization: Sequence[Mean | None]
    harm: Floats
    highest: Indices


def read(scores: Scores, question: Question, progress: ProgressCallback | None = None) -> Reading:
    """Read the scores once.

    Raises:
        EstimationError: a score, or a sum, is not finite.
    """
    start = time.perf_counter()
    harm = np.empty(question.judging.n)
    highest = _Highest(question.tests, question.most)
    groups = question.groups
    sums = np.zeros((len(BY_MEMORIZATION) + 1, len(question.judging), question.judging.n_test))
    step = rows_at_once(question.judging.n_test)
    for first, kept in scores.blocks():
        rows = slice(first, first + len(kept))
        precise: type[np.floating[Any]] = np.float64 if kept.dtype == np.float64 else np.float32
        block: NDArray[Any] = kept.astype(precise, copy=False)
        inside: NDArray[Any] = included(question.judging, first, step).astype(precise)
        for number in range(len(sums)):
            chosen = np.flatnonzero(groups[rows] == number)
            if len(chosen):
                sums[number] += inside[:, chosen] @ block[chosen]
        harm[rows] = -block.mean(axis=1, dtype=np.float64)
        highest.add(first, block)
        if progress is not None:
            progress(len(block))
    seconds = time.perf_counter() - start
    whole = sums.sum(axis=0)
    if not np.isfinite(whole).all():
        raise EstimationError(f"the scores of {scores.name} are too large to be summed")
    return Reading(
        scores=scores,
        seconds=seconds,
        score=question.score(whole.astype(np.float32)),
        by_memorization=[
            question.score(sums[number].astype(np.float32)).mean()
            if (groups == number).any()
            else None
            for number in range(len(BY_MEMORIZATION))
        ],
        harm=harm,
        highest=highest.rows,
    )


class _Highest:
    """The highest scores of some test examples, and whose they are, of the blocks so far."""

    def __init__(self, tests: Indices, most: int) -> None:
        self._tests, self._most = tests, most
        self._values = np.zeros((0, len(tests)))
        self.rows = np.zeros((0, len(tests)), np.int64)

    def add(self, first: int, block: NDArray[Any]) -> None:
        """Add the scores of training examples ``first`` on; of equal scores the first counts."""
        if not len(self._tests):
            return
        new = block[:, self._tests]
        own = np.arange(first, first + len(block))[:, None]
        values = np.concatenate([self._values, new])
        rows = np.concatenate([self.rows, np.broadcast_to(own, new.shape)])
        order = np.argsort(-values, axis=0, kind="stable")[: self._most]
        self._values = np.take_along_axis(values, order, axis=0)
        self.rows = np.take_along_axis(rows, order, axis=0)
