"""Examples on which two studies of the same data disagree, and how surely."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from memtail_core.errors import EstimationError
from memtail_core.estimation.estimator import UNKNOWN
from memtail_core.estimation.intervals import Z95
from memtail_core.estimation.memorization import column_sums
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LARGEST_Z = 40.0  # of a p-value below the least float
_HALVINGS = 40  # of LARGEST_Z, to 4e-11


class TestedDifference(NamedTuple):
    """How much the two sides differ on each of P examples, or pairs, float64 [P] each.

    Attributes:
        standard_error: of the difference.
        ci_low, ci_high: its 95% interval.
        p_value: two-sided, of no difference.
    """

    standard_error: Floats
    ci_low: Floats
    ci_high: Floats
    p_value: Floats


class Differences(Protocol):
    """How much more trials with each of P examples, or pairs, say of it than the others."""

    @property
    def estimate(self) -> Floats:
        """Float64 [P]; NaN where there is none."""

    @property
    def variance(self) -> Floats:
        """Of the estimate, unbiased, float64 [P]."""

    def where(self, chosen: NDArray[np.generic]) -> Self:
        """Return those that a mask or indices choose."""

    def tested(self, other: Self) -> TestedDifference:
        """Compare with another study."""


D = TypeVar("D", bound=Differences)


@dataclass(frozen=True, eq=False)
class Counts:
    """How often an example, or a pair, was right in trials that trained on it and in others.

    Attributes:
        in_correct, n_in, out_correct, n_out: int64 [P].
    """

    in_correct: Indices
    n_in: Indices
    out_correct: Indices
    n_out: Indices

    @classmethod
    def of(cls, trials: Trials) -> "Counts":
        """Count for every training example, int64 [n].

        Raises:
            EstimationError: imported trials have no outcomes of training examples.
        """
        if trials.train_correct is None:
            raise EstimationError(UNKNOWN)
        n_in = column_sums(trials.subset, trials.n)
        in_correct = column_sums(trials.subset & trials.train_correct, trials.n)
        correct = column_sums(trials.train_correct, trials.n)
        return cls(in_correct, n_in, correct - in_correct, len(trials) - n_in)

    @property
    def estimate(self) -> Floats:
        """p_in − p_out, float64 [P]; NaN where either was never."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.in_correct / self.n_in - self.out_correct / self.n_out)

    @property
    def variance(self) -> Floats:
        """Unbiased: Σ p (1 − p) / (n − 1), float64 [P]; NaN where a group has fewer than two."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p, q = self.in_correct / self.n_in, self.out_correct / self.n_out
            found = p * (1 - p) / (self.n_in - 1) + q * (1 - q) / (self.n_out - 1)
        return np.where((self.n_in > 1) & (self.n_out > 1), found, np.nan)

    def where(self, chosen: NDArray[np.generic]) -> "Counts":
        """Return those that a mask or indices choose."""
        return Counts(
            self.in_correct[chosen], self.n_in[chosen], self.out_correct[chosen], self.n_out[chosen]
        )

    def tested(self, other: "Counts") -> TestedDifference:
        """Compare with another study.

        The standard error is that with one success and one failure added to each group. Of the
        interval, the two Agresti–Caffo intervals are combined, their half-widths as √(h₁² + h₂²)
        about the difference of their centres (MOVER, Zou & Donner 2008).
        """
        (centre, of_one), (centre_other, of_other) = self.moderated(1), other.moderated(1)
        error = np.sqrt(of_one + of_other)
        low = np.maximum(centre - centre_other - Z95 * error, -2)
        high = np.minimum(centre - centre_other + Z95 * error, 2)
        return TestedDifference(error, low, high, p_values(self, other))

    def plus(self, other: "Counts") -> "Counts":
        """Return the counts of these trials and of others."""
        return Counts(
            self.in_correct + other.in_correct,
            self.n_in + other.n_in,
            self.out_correct + other.out_correct,
            self.n_out + other.n_out,
        )

    def moderated(self, added: Floats | float) -> tuple[Floats, Floats]:
        """Return p̃_in − p̃_out and its variance with ``added`` successes and failures each."""
        of_in, of_out = self.n_in + 2 * added, self.n_out + 2 * added
        p, q = (self.in_correct + added) / of_in, (self.out_correct + added) / of_out
        return p - q, p * (1 - p) / of_in + q * (1 - q) / of_out


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Examples by how much the two sides surely differ on them, the largest sure difference first.

    The order is by the end of the interval nearest to 0; those whose interval holds 0 come last.
    Where both sides trained on the same subsets, part of the noise is common to both, and the
    errors here are too large rather than too small.

    Attributes:
        index: int64 [P], the training examples that both sides have a score for.
        difference: float64 [P], memorization of the one less that of the other.
        standard_error, ci_low, ci_high, p_value: float64 [P], of the test.
        q_value: float64 [P], Benjamini & Hochberg 1995, over all P.
    """

    index: Indices
    difference: Floats
    standard_error: Floats
    ci_low: Floats
    ci_high: Floats
    p_value: Floats
    q_value: Floats


def disagreements(one: D, other: D) -> Disagreements:
    """Say of each example how much the two sides differ on it, and how surely."""
    from scipy.stats import false_discovery_control

    index = np.flatnonzero(~np.isnan(one.estimate - other.estimate))
    one, other = one.where(index), other.where(index)
    error, low, high, p = one.tested(other)
    q = false_discovery_control(p) if len(p) else p
    difference = one.estimate - other.estimate
    order = np.lexsort((index, -np.abs(difference), -np.maximum(low, -high)))
    return Disagreements(
        index=index[order],
        difference=difference[order],
        standard_error=error[order],
        ci_low=low[order],
        ci_high=high[order],
        p_value=p[order],
        q_value=np.asarray(q)[order],
    )


def p_values(one: Counts, other: Counts) -> Floats:
    """Return two-sided p-values of equal p_in − p_out on both sides, float64 [P].

    p is the level at which the interval of the difference just holds 0, with as many successes and
    failures added to each group as that level takes: a = max(1, z² / 4), as in
    :func:`~memtail_core.estimation.intervals.agresti_caffo`. With a = 1 at every level, 6 of 6
    against 0 of 6 would have p = 1e-9, which by chance happens at 5e-4, and among thousands of
    examples some would always seem sure.
    """
    low = np.zeros(len(one.n_in))
    high = np.full(len(one.n_in), LARGEST_Z)
    for _ in range(_HALVINGS):
        z = (low + high) / 2
        is_apart = differs(one, other, z)
        low, high = np.where(is_apart, z, low), np.where(is_apart, high, z)
    return np.asarray(2 * ndtr(-low))


def differs(one: Counts, other: Counts, z: Floats | float) -> NDArray[np.bool_]:
    """Whether the interval of the difference at level z leaves out 0."""
    added = np.maximum(1, np.square(z) / 4)
    (centre, of_one), (centre_other, of_other) = one.moderated(added), other.moderated(added)
    return np.asarray(np.abs(centre - centre_other) > z * np.sqrt(of_one + of_other))
