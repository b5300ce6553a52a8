"""Many problems with the same regressors, solved along descending penalties.

Problem z with outcome y and penalty α is scikit-learn's ``Lasso``,

    min over w, b of  ‖y − b − X w‖² / (2 T) + α ‖w‖₁.

From one penalty to the next few weights change. The members of a problem are the regressors with a
weight and those whose gradient is near the penalty (the sequential strong rule, Tibshirani et al.
2012, is the safer form of it). Coordinate descent solves the problem among its members; then one
matrix product gives the gradients of all problems, and regressors that were left out wrongly become
members. So what is solved is the whole problem, to the tolerance.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.lasso.coordinate_descent import admit, descend
from memtail_core.estimation.lasso.inclusion import Inclusion

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

STEP = 0.85  # from one penalty to the next, where each is looked at
_STRIDE = 0.55  # where only the last one counts
_AHEAD = 0.3  # of a step: how much a gradient may grow; what grows more costs another round
_MOST_AHEAD = 0.12  # the same, of the penalty
_ROUNDING = 1e-5  # of a gradient in float32, in relation to the penalty
_PORTIONS = 8  # of work for each thread


class Problems:
    """q problems and where they are on their paths.

    Attributes:
        inclusion: the regressors.
        mean: float64 [q], of the outcomes.
        weights: float64 [q, n], the solutions at ``alpha``.
        alpha: float64 [q]; at first the least penalty at which all weights are 0.
    """

    def __init__(self, inclusion: Inclusion, outcome: Floats, threads: int = 1) -> None:
        """Begin the paths.

        Args:
            inclusion: the regressors.
            outcome: float64 [q, T], the regressands.
            threads: how many problems to solve at once.
        """
        self.inclusion, self._threads = inclusion, threads
        self.mean = outcome.mean(axis=1)
        self._outcome = outcome - self.mean[:, None]
        self._linear = inclusion.sums(self._outcome) / inclusion.trials
        self._gradient = self._linear.astype(np.float32)
        self._residual = self._outcome.astype(np.float32)
        self.weights = np.zeros_like(self._linear)
        self._is_member = np.zeros(self.weights.shape, np.bool_)
        self.alpha = np.abs(self._linear).max(axis=1, initial=0.0)

    def __len__(self) -> int:
        return len(self.mean)

    def advance(self, alpha: Floats, which: Indices | None = None, tolerance: float = 1e-3) -> None:
        """Solve the problems ``which``, all by default, at penalties float64 [q].

        One step of a path; :meth:`descend_to` goes further.
        """
        which = np.arange(len(self)) if which is None else which
        ahead = np.minimum(_AHEAD * (self.alpha - alpha), _MOST_AHEAD * alpha)
        reach = np.maximum(alpha - ahead, 0.0)
        self._is_member[which] = self.weights[which] != 0
        self._apart(lambda rows: admit(self._gradient, rows, reach, self._is_member), which)
        limit, pending = alpha * (1 + _ROUNDING), which
        while len(pending):
            self._apart(lambda rows: self._descend(rows, alpha, tolerance), pending)
            gradient = self.inclusion.sums(self._residual[pending])
            gradient /= np.float32(self.inclusion.trials)
            self._gradient[pending] = gradient
            pending = self._apart(
                lambda rows: admit(self._gradient, rows, limit, self._is_member), pending
            )
        self.alpha[which] = alpha[which]

    def descend_to(self, alpha: Floats, tolerance: float = 1e-6) -> None:
        """Solve all problems at penalties float64 [q], by way of larger ones."""
        while len(which := np.flatnonzero(self.alpha > alpha)):
            is_last = self.alpha * _STRIDE <= alpha
            for chosen, its in ((~is_last, 1e-3), (is_last, tolerance)):
                rows = which[chosen[which]]
                if len(rows):
                    self.advance(np.maximum(self.alpha * _STRIDE, alpha), rows, its)

    @property
    def intercept(self) -> Floats:
        """b, float64 [q]."""
        return np.asarray(self.mean - self.weights @ self.inclusion.share)

    def predictions(self, inclusion: Inclusion, which: Indices) -> Floats:
        """Return what solutions predict of other trials, float64 [len(which), T']."""
        weights = self.weights[which]
        level = self.mean[which] - weights @ self.inclusion.share
        return np.asarray(inclusion.predictions(weights) + level[:, None])

    def _descend(self, rows: Indices, alpha: Floats, tolerance: float) -> Indices:
        descend(
            self.inclusion.members.words,
            self.inclusion.inside,
            rows,
            self._linear,
            self._outcome,
            alpha,
            tolerance,
            self._is_member,
            self.weights,
            self._residual,
        )
        return rows

    def _apart(self, work: Callable[[Indices], Indices], which: Indices) -> Indices:
        """Do work on the problems in threads; join what it returns."""
        if self._threads == 1:
            return work(which)
        with ThreadPoolExecutor(self._threads) as threads:
            parts = np.array_split(which, self._threads * _PORTIONS)
            return np.concatenate(list(threads.map(work, parts)))
