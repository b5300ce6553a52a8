"""What an estimator of memorization is: the trials it may look at, and what it returns.

An estimator is one file that implements :class:`Estimator`, and one line in
:mod:`memtail_core.estimation.estimators`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.measures import Measure
from memtail_core.estimation.memorization import Memorization, memorization

UNKNOWN = (
    "the imported models have no outcomes of training examples, so memorization is unknown: only "
    "what rests on test examples can be asked"
)


@dataclass(frozen=True, eq=False)
class Context:
    """What is known of n training examples without any trial.

    Attributes:
        neighbours: int64 [n, k], the nearest other training examples of each, the nearest first.
        distances: float64 [n, k], how far they are.
        kernel_scores: float64 [n, d], what a kernel machine predicts for each example when it is
            left out: see :func:`.calibrated.kernel_machine.leave_one_out_scores`.
    """

    neighbours: NDArray[np.int64]
    distances: NDArray[np.float64]
    kernel_scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Signals:
    """What R of the trials show of n training examples while they train: F numbers each.

    Attributes:
        trial: int64 [R], which trials.
        value: float32 [R, n, F], between 0 and 1: ranks among the examples.
    """

    trial: NDArray[np.int64]
    value: NDArray[np.float32]

    def among(self, trials: NDArray[np.int64]) -> "Signals":
        """Those of these trials, int64 [T] and ascending, with their positions as ``trial``."""
        is_there = np.isin(self.trial, trials)
        return Signals(np.searchsorted(trials, self.trial[is_there]), self.value[is_there])


@dataclass(frozen=True, eq=False)
class Observations:
    """What an estimator may look at: T trials on n training examples. It changes none of it.

    Attributes:
        subset: uint8 [T, ⌈n/8⌉], which examples each trial trained on (numpy.packbits).
        correct: uint8 [T, ⌈n/8⌉], which it classified correctly; None where nobody knows.
        n: the number of training examples.
        labels: int64 [n], 0 … C − 1.
        values: float16 [T, n], the value of each trial and example, as the margin
            log p_y − log(1 − p_y); None where the recipe gives none, or the estimator needs none.
        find_context: computes ``context``; it is called once, when an estimator asks for it.
        signals: of trials whose trainings were recorded, by their rows; None if none was.
    """

    subset: NDArray[np.uint8]
    correct: NDArray[np.uint8] | None
    n: int
    labels: NDArray[np.int64]
    values: NDArray[np.float16] | None = None
    find_context: Callable[[], Context] | None = None
    signals: Signals | None = None

    def __len__(self) -> int:
        return len(self.subset)

    @cached_property
    def counted(self) -> Memorization:
        """The paper's estimate, by counting; counted once."""
        return memorization(self.subset, self.correct, self.n)

    @cached_property
    def context(self) -> Context | None:
        """What is known without the trials; None if nothing is."""
        return None if self.find_context is None else self.find_context()

    def unpacked(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return ``subset`` and ``correct`` as bool [T, n], a byte for each bit.

        Raises:
            EstimationError: nobody knows what was correct.
        """
        if self.correct is None:
            raise EstimationError(UNKNOWN)
        inside, correct = (
            np.unpackbits(bits, axis=1, count=self.n).astype(np.bool_)
            for bits in (self.subset, self.correct)
        )
        return inside, correct


class Estimator(Protocol):
    """Turns observations into memorization with its errors. The same input gives the same bits."""

    @property
    def name(self) -> str:
        """What options, tables and ``summary.json`` call it."""

    @property
    def needs_values(self) -> bool:
        """Whether it uses the trials' real values, where they are stored, and not bits alone."""

    @property
    def measure(self) -> Measure:
        """What it estimates differences of."""

    def memorization(self, observations: Observations) -> Memorization:
        """Estimate from one trial or more. NaN where it has no estimate."""
