"""Datamodels: sparse linear models of each test example's outcome on what a model trained on.

For a test example with outcome f_t in trial t, which trained on x_t ∈ {0, 1}^n,

    f_t ≈ b + Σ_i w_i x_ti,    w from the lasso:  min  Σ_t (f_t − b − w · x_t)² / (2 T) + α ‖w‖₁

(Ilyas, Park, Engstrom, Leclerc & Madry, "Datamodels", ICML 2022). Each test example has its own
penalty α: the one that predicts best trials that the fit has not seen. The trials are cut into
folds, each is predicted from the others at every penalty of a path, and the last fit is made from
all of them at the best.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.lasso import Inclusion, Problems
from memtail_core.estimation.lasso.problems import STEP

Floats = NDArray[np.float64]

FOLDS = 5
_LEAST = 0.02  # penalty tried, in relation to the one at which all weights are 0
_PATIENCE = 3  # penalties without a better prediction, after which smaller ones are not tried
_TILE_BYTES = 256 * 2**20  # of the weights of the test examples that are fitted at once
_COPIES = 2 + FOLDS  # of them that are in memory, about


@dataclass(frozen=True, eq=False)
class Fit:
    """The datamodels of some test examples.

    Attributes:
        first: the first of them; the others follow.
        weights: float64 [q, n]; most are 0.
        intercept: float64 [q].
        penalty: float64 [q], α.
    """

    first: int
    weights: Floats
    intercept: Floats
    penalty: Floats

    def predictions(self, inclusion: Inclusion) -> Floats:
        """Return what they predict of other trials, float64 [q, T']."""
        return inclusion.predictions(self.weights) + self.intercept[:, None]


def datamodels(
    subset: NDArray[np.uint8],
    n: int,
    outcome: NDArray[np.floating],
    group: NDArray[np.int64],
    *,
    device: str = "cpu",
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Fit]:
    """Fit every test example, some at a time.

    Args:
        subset: uint8 [T, ⌈n/8⌉], which examples each trial trained on (numpy.packbits).
        n: the number of training examples.
        outcome: [T, n_test], of each trial on each test example.
        group: int64 [T], the block of each trial: blocks are in one fold as a whole.
        device: where matrix products are made, ``cpu`` or ``cuda``.
        threads: processor cores to use.
        progress: called with the number of test examples done since the last call.

    Raises:
        ValueError: there are fewer than two blocks.
    """
    fold = np.unique(group, return_inverse=True)[1] % FOLDS
    parts = [np.flatnonzero(fold != k) for k in range(fold.max() + 1)]
    if len(parts) < 2:
        raise ValueError("trials of at least two blocks are needed")
    whole = Inclusion.of(subset, n, device)
    splits = [
        (
            rows,
            Inclusion.of(subset[rows], n, device),
            others,
            Inclusion.of(subset[others], n, device),
        )
        for rows in parts
        for others in [np.setdiff1d(np.arange(len(subset)), rows)]
    ]
    step = max(1, _TILE_BYTES // (8 * n * _COPIES))
    for first in range(0, outcome.shape[1], step):
        y = np.ascontiguousarray(outcome[:, first : first + step].T, np.float64)
        problems = Problems(whole, y, threads)
        fitted = [
            (Problems(inclusion, y[:, rows], threads), y[:, others], held_out)
            for rows, inclusion, others, held_out in splits
        ]
        penalty = _best(problems.alpha, fitted)
        problems.descend_to(penalty)
        yield Fit(first, problems.weights, problems.intercept, penalty)
        if progress is not None:
            progress(len(y))


def _best(largest: Floats, fitted: list[tuple[Problems, Floats, Inclusion]]) -> Floats:
    """Return the penalties with the least squared error on what was held out, float64 [q].

    Args:
        largest: float64 [q], where the paths begin.
        fitted: for each fold its problems, and the outcomes and regressors that it held out.
    """
    alpha, best = largest.copy(), largest.copy()
    least = sum(((held - problems.mean[:, None]) ** 2).sum(axis=1) for problems, held, _ in fitted)
    patience, which = np.full(len(alpha), _PATIENCE), np.flatnonzero(largest > 0)
    while len(which):
        alpha[which] *= STEP
        error = np.zeros(len(which))
        for problems, held, inclusion in fitted:
            problems.advance(alpha, which)
            error += ((problems.predictions(inclusion, which) - held[which]) ** 2).sum(axis=1)
        is_better = error < least[which]
        better = which[is_better]
        least[better], best[better] = error[is_better], alpha[better]
        patience[which] -= 1
        patience[better] = _PATIENCE
        which = which[(patience[which] > 0) & (alpha[which] > _LEAST * largest[which])]
    return best
