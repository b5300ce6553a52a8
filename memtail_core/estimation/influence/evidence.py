"""What influence is estimated from: who was trained on what, and who got what right."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence.bits import Bits
from memtail_core.estimation.intervals import difference_of_proportions

_MOST_TRIALS = 2**24  # float32 counts exactly up to here


@dataclass(frozen=True, eq=False)
class Evidence:
    """T trials as two matrices of bits, in words per example.

    Attributes:
        members: which trials trained on each of the n training examples.
        correct: which trials got each of the n_test test examples right.
        own: which trials got each of the n training examples itself right; None if that is unknown,
            or if other trials choose the training examples that are tested.
    """

    members: Bits
    correct: Bits
    own: Bits | None = None

    @classmethod
    def of(
        cls,
        subset: NDArray[np.uint8],
        test_correct: NDArray[np.uint8],
        n: int,
        n_test: int,
        train_correct: NDArray[np.uint8] | None = None,
    ) -> "Evidence":
        """Read packed bits, uint8 [T, ⌈n/8⌉], [T, ⌈n_test/8⌉] and [T, ⌈n/8⌉].

        Raises:
            EstimationError: there are no trials, or too many to count exactly.
        """
        if not 0 < len(subset) < _MOST_TRIALS:
            raise EstimationError(f"{len(subset)} trials: there must be 1 to {_MOST_TRIALS - 1}")
        own = None if train_correct is None else Bits.of(train_correct, n)
        return cls(Bits.of(subset, n), Bits.of(test_correct, n_test), own)

    @property
    def trials(self) -> int:
        """T."""
        return self.members.trials

    @cached_property
    def n_in(self) -> NDArray[np.int64]:
        """How many trials trained on each training example, int64 [n]."""
        return self.members.sums

    @cached_property
    def n_correct(self) -> NDArray[np.int64]:
        """How many trials got each test example right, int64 [n_test]."""
        return self.correct.sums

    @property
    def is_estimable(self) -> NDArray[np.bool_]:
        """Training examples that some trials trained on and some did not, bool [n]."""
        return (self.n_in > 0) & (self.n_in < self.trials)

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Test examples that some trials got right and some wrong, bool [n_test].

        On the others nothing has any influence: it is 0, whatever the subsets.
        """
        return (self.n_correct > 0) & (self.n_correct < self.trials)

    def of_errors(self) -> "Evidence":
        """Return the evidence of getting test examples wrong: every influence changes its sign."""
        return replace(self, correct=self.correct.inverted())

    def estimate(
        self,
        in_correct: NDArray[np.integer],
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Turn counts into influence and its standard error.

            infl_ij = in_correct / n_in − (n_correct − in_correct) / n_out

        Feldman & Zhang 2020, section 2. ``rows`` and ``columns`` say which training and test
        example each count is of; the three shapes broadcast. float64; NaN where a training
        example was never in or never out.
        """
        n_in = self.n_in[rows]
        out_correct = self.n_correct[columns] - in_correct
        return difference_of_proportions(in_correct, n_in, out_correct, self.trials - n_in)
