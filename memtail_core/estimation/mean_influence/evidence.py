"""What influence by a measure is estimated from: subsets as bits, outcomes as values.

Outcomes of each test example are kept as they are, and rounded to 255 levels between its least and
its largest. Rounded ones are multiplied, quickly; from what comes near a threshold the exact means
are taken. The test of a pair is a permutation test of the rounded outcomes.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence.bits import Bits
from memtail_core.estimation.mean_influence.placing import LEVELS, place, round_off
from memtail_core.estimation.measures import Measure

_MIDDLE = LEVELS // 2
_DIGITS = 16
_MOST_TRIALS = 2**_DIGITS  # sums of levels are exact in float32
_AT_ONCE = 1024  # test examples rounded at a time

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MeanEvidence:
    """T trials on n training and n_test test examples.

    Attributes:
        members: which trials trained on each training example; W words of 64 bits each.
        measure: what is averaged.
        values: uint16 [T, n_test], the patterns of the float16 values of the test examples.
        own: uint16 [T, n], the same of the training examples; None if other trials choose those
            that are tested.
        sign: 1, or −1 for influence to the worse.
    """

    members: Bits
    measure: Measure
    values: NDArray[np.uint16]
    own: NDArray[np.uint16] | None = None
    sign: int = 1

    @classmethod
    def of(
        cls,
        subset: NDArray[np.uint8],
        test_values: NDArray[np.float16],
        n: int,
        measure: Measure,
        train_values: NDArray[np.float16] | None = None,
    ) -> "MeanEvidence":
        """Read packed bits, uint8 [T, ⌈n/8⌉], and values, float16 [T, n_test] and [T, n].

        Raises:
            EstimationError: there are fewer than four trials, or too many to add exactly.
        """
        if not 4 <= len(subset) < _MOST_TRIALS:
            raise EstimationError(
                f"{len(subset)} models: influence on the {measure.name} takes 4 to "
                f"{_MOST_TRIALS - 1}"
            )
        own = None if train_values is None else train_values.view(np.uint16)
        return cls(Bits.of(subset, n), measure, test_values.view(np.uint16), own)

    @property
    def trials(self) -> int:
        """T."""
        return self.members.trials

    @cached_property
    def places(self) -> Indices:
        """Where in an unpacked row of ``members`` each trial is, int64 [T]."""
        one_more = np.arange(1, self.trials + 1)[:, None]  # 0: no trial
        digits = np.packbits(one_more >> np.arange(_DIGITS) & 1, axis=1)
        placed = np.unpackbits(Bits.of(digits, _DIGITS).words.view(np.uint8), axis=1)
        trial = (placed.astype(np.int64) << np.arange(_DIGITS)[:, None]).sum(axis=0)
        places = np.empty(self.trials, np.int64)
        places[trial[trial > 0] - 1] = np.flatnonzero(trial)
        return places

    @cached_property
    def n_in(self) -> Indices:
        """How many trials trained on each training example, int64 [n]."""
        return self.members.sums

    @property
    def is_estimable(self) -> NDArray[np.bool_]:
        """Training examples that two trials trained on and two did not, bool [n]."""
        return (self.n_in > 1) & (self.n_in < self.trials - 1)

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Test examples of which trials say different things, bool [n_test]."""
        return self.rounded.step > 0

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """What each pattern of a value is worth, float32 [65536]."""
        with np.errstate(invalid="ignore"):  # patterns that are no number
            return self.sign * self.measure.table()

    @cached_property
    def mean(self) -> Floats:
        """The mean outcome of each test example over all trials, float64 [n_test]."""
        n_test = self.values.shape[1]
        mean = np.zeros(n_test)
        for start in range(0, n_test, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            mean[part] = self.table[self.values[:, part]].mean(axis=0, dtype=np.float64)
        return mean

    @property
    def possible(self) -> tuple[float, float]:
        """The least and the largest outcome."""
        low, high = sorted((self.sign * self.measure.low, self.sign * self.measure.high))
        return low, high

    def inside(self, rows: Indices) -> NDArray[np.int8]:
        """Return 0 and 1, int8 [R, 64 W]: which trials, at their places, trained on the rows."""
        return np.unpackbits(self.members.words[rows].view(np.uint8), axis=1).view(np.int8)

    def outcomes(self, columns: Indices) -> NDArray[np.float32]:
        """Return outcomes less their mean at the trials' places, else 0, float32 [C, 64 W]."""
        return self._placed(self.values[:, columns])

    def own_outcomes(self, rows: Indices) -> NDArray[np.float32] | None:
        """Return the same of training examples, float32 [R, 64 W]."""
        return None if self.own is None else self.sign * self._placed(self.own[:, rows])

    def of_harm(self) -> "MeanEvidence":
        """Return the evidence of worse outcomes: every influence changes its sign."""
        return replace(self, sign=-self.sign)

    def permuted(self, order: Indices) -> "MeanEvidence":
        """Let each trial say of test examples what another said; nothing then has any influence."""
        return replace(self, values=self.values[order], own=None)

    @cached_property
    def rounded(self) -> "Rounded":
        """The outcomes of the test examples in 255 levels."""
        n_test, width = self.values.shape[1], 64 * self.members.words.shape[1]
        levels = np.zeros((n_test, width), np.int8)
        counts = np.zeros((n_test, LEVELS), np.int32)
        step = np.empty(n_test)
        for start in range(0, n_test, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            patterns = np.array(self.values[:, part], order="C")
            round_off(patterns, self.table, self.places, levels[part], counts[part], step[part])
        return Rounded(levels, counts, step)

    def _placed(self, patterns: NDArray[np.uint16]) -> NDArray[np.float32]:
        placed = np.zeros((patterns.shape[1], 64 * self.members.words.shape[1]), np.float32)
        place(np.array(patterns, order="C"), self.table, self.places, placed)
        return placed


@dataclass(frozen=True, eq=False)
class Rounded:
    """Outcomes of n_test examples in levels −127 … 127 of their own.

    Attributes:
        levels: int8 [n_test, 64 W], at the trials' places; 0 elsewhere.
        counts: int32 [n_test, 255], how many trials are at each level.
        step: float64 [n_test], what a level is worth; 0 where all trials say the same.
    """

    levels: NDArray[np.int8]
    counts: NDArray[np.int32]
    step: Floats

    @cached_property
    def total(self) -> Indices:
        """The sum of the levels of all trials, int64 [n_test]."""
        return np.asarray(self.counts @ np.arange(-_MIDDLE, _MIDDLE + 1), np.int64)

    @cached_property
    def spread(self) -> Floats:
        """The standard deviation of the levels over trials, float64 [n_test]; divisor T − 1."""
        n = self.counts.sum(axis=1, dtype=np.int64)
        square = self.counts @ np.arange(-_MIDDLE, _MIDDLE + 1, dtype=np.int64) ** 2
        return np.asarray(np.sqrt(np.maximum(square - self.total**2 / n, 0) / (n - 1)))
