"""The features of every example, from some of the trials and from what is known without them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.margins import Margin, margins
from memtail_core.estimation.calibrated.neighbourhood import Neighbourhood
from memtail_core.estimation.calibrated.sums import Sides, Sums

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExampleFeatures:
    """Computes the features of n examples; holds what is known of them without the trials.

    Attributes:
        label: int64 [n], 0 … C − 1.
        neighbourhood: the nearest examples of each, or None.
        extra_features: float64 [n, d], any further columns; d may be 0.
        fold: int64 [n], which examples are predicted by a model fitted on all others.
    """

    label: NDArray[np.int64]
    neighbourhood: Neighbourhood | None
    extra_features: Floats
    fold: NDArray[np.int64]

    def features(self, sides: Sides) -> Floats:
        """Return the features from these trials, float64 [n, d]; NaN where nothing is known."""
        held_in, held_out = sides.held_in, sides.held_out
        shared = self._shared(sides)
        modelled = [
            column
            for side in margins(sides, shared, self.fold)
            for column in (side.expected, side.mean, side.correct)
        ]
        own = [
            column
            for side in (held_in, held_out)
            for column in (side.mean_margin, np.sqrt(side.variance), side.mean_soft, side.rate)
        ]
        signals = [each.mean_signals for each in (held_in, held_out, held_in + held_out)]
        return np.column_stack([*modelled, *own, held_out.n, shared, *signals])

    def margins(self, sides: Sides) -> tuple[Margin, Margin]:
        """Both sides' margins by empirical Bayes, held in and held out."""
        return margins(sides, self._shared(sides), self.fold)

    def _shared(self, sides: Sides) -> Floats:
        """Features from other examples and from no trial, [n, d]."""
        held_in, held_out = sides.held_in, sides.held_out
        beside = [self._of_class(held_in), self._of_class(held_out), self.extra_features]
        if self.neighbourhood is not None:
            beside += [self.neighbourhood.constants(), self.neighbourhood.means(sides)]
        return np.hstack(beside)

    def _of_class(self, side: Sums) -> Floats:
        """The mean margin and rate of the other examples of its class, [n, 2]."""
        columns = []
        many = np.bincount(self.label, weights=side.n)[self.label] - side.n
        for total in (side.margin, side.correct):
            others = np.bincount(self.label, weights=total)[self.label] - total
            columns.append(np.divide(others, many, np.full(len(many), np.nan), where=many > 0))
        return np.stack(columns, axis=1)
