"""Which pairs have influence, how surely, at a false discovery rate: of posterior moments.

The local false sign rate of a pair with posterior N(û, s²) is the probability that its influence is
not of the sign of û,

    lfsr = Φ(−|û| / s)

and the expected share of wrong ones among a list of pairs is the mean of their rates (Newton et al.
2004; Stephens 2017). A pair's q-value is that mean over all pairs that are at least as sure. Rates
are grouped by level, 16 to a decade, so that counts and sums by level are all one pass has to keep.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from memtail_core.errors import EstimationError
from memtail_core.estimation.combined.posterior import CombinedInfluence
from memtail_core.estimation.influence.false_discovery import LEVELS, levels
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.intervals import Z95, reaches

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MOST_PAIRS = 10_000_000
_PAIRS = 2**22  # looked at together


@dataclass(frozen=True, eq=False)
class Discoveries:
    """P pairs, those of the largest estimate first.

    Attributes:
        train, test: int64 [P].
        influence, standard_error: float64 [P], the posterior's, in units of the outcome.
        false_sign_rate: float64 [P].
        q_value: float64 [P], the expected share of wrong signs among all pairs as sure as this.
        n_tested: how many pairs were looked at.
        n_found: how many of them fulfil what was asked; P is less if only the first were kept.
    """

    train: Indices
    test: Indices
    influence: Floats
    standard_error: Floats
    false_sign_rate: Floats
    q_value: Floats
    n_tested: int
    n_found: int

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """The 95% intervals, float64 [P] each."""
        half = Z95 * self.standard_error
        return self.influence - half, self.influence + half

    def of_harm(self) -> "Discoveries":
        """Read what a search for harm gave as influence: negative."""
        return replace(self, influence=-self.influence)

    def __len__(self) -> int:
        return len(self.train)


def discoveries(
    influence: CombinedInfluence,
    family: Family,
    theta: float,
    fdr: float | None = None,
    *,
    top: int | None = None,
    harmful: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Discoveries:
    """Return the pairs of a family with at least this influence, and at most this rate.

    Args:
        influence: the posterior.
        family: which pairs are looked at.
        theta: the least influence.
        fdr: the largest expected share of wrong signs among those returned; None: any.
        top: keep only this many of the largest.
        harmful: look for influence of at most −theta; signs are turned in what is returned.
        progress: called with the number of pairs done since the last call.

    Raises:
        EstimationError: there are more than ``MOST_PAIRS``.
    """
    counts, sums = np.zeros(LEVELS), np.zeros(LEVELS)
    kept: list[tuple[NDArray[np.number], ...]] = []
    n_kept = 0
    for rows, columns in family.groups:
        step = max(1, _PAIRS // len(columns))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            mean, error = influence.moments(part, columns)
            estimate = (-mean if harmful else mean).astype(np.float64)
            log_rate = _log_rate(estimate, error)
            level = levels(log_rate)
            is_up = estimate > 0
            counts += np.bincount(level[is_up], minlength=LEVELS)
            sums += np.bincount(level[is_up], np.exp(log_rate[is_up]), LEVELS)
            i, j = np.nonzero(reaches(estimate, theta) & is_up)
            at = i, j
            kept.append((part[i], columns[j], estimate[at], error[at], log_rate[at]))
            n_kept += len(i)
            if n_kept > MOST_PAIRS:
                raise EstimationError(
                    f"more than {MOST_PAIRS:,} pairs, too many to list: ask for more influence"
                )
            if progress is not None:
                progress(len(part) * len(columns))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3))
    train, test, value, error, log_rate = map(np.concatenate, zip(nothing, *kept, strict=True))
    mean_rate = np.cumsum(sums[::-1])[::-1] / np.maximum(1, np.cumsum(counts[::-1])[::-1])
    q = mean_rate[levels(log_rate.astype(np.float64))]
    chosen = np.arange(len(q)) if fdr is None else np.flatnonzero(q <= fdr)
    order = chosen[np.lexsort((test[chosen], train[chosen], -value[chosen]))]
    first = order[:top]
    return Discoveries(
        train=train[first],
        test=test[first],
        influence=value[first].astype(np.float64),
        standard_error=error[first].astype(np.float64),
        false_sign_rate=np.exp(log_rate[first].astype(np.float64)),
        q_value=q[first],
        n_tested=family.n_pairs,
        n_found=len(order),
    )


def _log_rate(estimate: Floats, error: NDArray[np.float32]) -> Floats:
    """ln Φ(−|û| / s), float64; ln ½ where nothing is known."""
    known = error > 0
    z = np.abs(estimate) / np.where(known, error, 1)
    return np.asarray(log_ndtr(-np.where(known, z, 0.0)))
