"""Differences of means of two studies: what :class:`.disagreements.Counts` is for bits."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from memtail_core.analysis.disagreements import TestedDifference
from memtail_core.estimation.averaged import unknown
from memtail_core.estimation.mean_influence import MeanEvidence
from memtail_core.estimation.mean_influence.exact import moments
from memtail_core.estimation.mean_intervals import LEVEL, reach_and_freedom
from memtail_core.estimation.mean_sums import Side, sides
from memtail_core.estimation.measures import Measure
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Means:
    """How much more the trials with each of P examples, or pairs, say of it than the others.

    Attributes:
        estimate: float64 [P], the difference of the means; NaN where a side has fewer than two.
        variance: float64 [P], of it, unbiased.
        reach, freedom: float64 [P], its standard error and degrees of freedom for intervals: see
            :func:`.mean_intervals.reach_and_freedom`.
    """

    estimate: Floats
    variance: Floats
    reach: Floats
    freedom: Floats

    @classmethod
    def of(cls, held_in: Side, held_out: Side, possible: tuple[float, float]) -> Self:
        """Return the differences of two sides, whose outcomes are in a range."""
        there = (held_in.n > 1) & (held_out.n > 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = held_in.variance / held_in.n + held_out.variance / held_out.n
            reach, freedom = reach_and_freedom(held_in, held_out, possible)
        estimate = np.where(there, held_in.mean - held_out.mean, np.nan)
        return cls(estimate, np.where(there, variance, np.nan), reach, freedom)

    @classmethod
    def of_trials(cls, trials: Trials, measure: Measure) -> Self:
        """Return the memorization of every training example.

        Raises:
            EstimationError: the trials have no values.
        """
        if trials.train_values is None:
            raise unknown(measure)
        both = sides(trials.subset, trials.train_values, measure)
        return cls.of(*both, (measure.low, measure.high))

    @classmethod
    def of_pairs(cls, evidence: MeanEvidence, train: Indices, test: Indices) -> Self:
        """Return the influence of pairs, int64 [P] each."""
        rows, row = np.unique(train, return_inverse=True)
        columns, column = np.unique(test, return_inverse=True)
        inside, outcomes = evidence.inside(rows), evidence.outcomes(columns)
        levels = evidence.rounded.levels[columns]
        of = moments(inside, outcomes, None, levels, (row, column), evidence.trials)
        return cls.of(*of.about(evidence.mean[test]), evidence.possible)

    def where(self, chosen: NDArray[np.generic]) -> "Means":
        """Return those that a mask or indices choose."""
        return Means(*(each[chosen] for each in vars(self).values()))

    def tested(self, other: "Means") -> TestedDifference:
        """Compare with another study, by Welch's test of the four means.

            t = (d₁ − d₂) / √(r₁² + r₂²),    ν = (r₁² + r₂²)² / (r₁⁴ / ν₁ + r₂⁴ / ν₂)

        with d, r and ν the estimates, reaches and degrees of freedom (Satterthwaite 1946).
        """
        mine, theirs = self.reach**2, other.reach**2
        error = np.sqrt(mine + theirs)
        freedom = (mine + theirs) ** 2 / (mine**2 / self.freedom + theirs**2 / other.freedom)
        difference = self.estimate - other.estimate
        half = stdtrit(freedom, (1 + LEVEL) / 2) * error
        p = 2 * stdtr(freedom, -np.abs(difference) / error)
        return TestedDifference(error, difference - half, difference + half, p)
