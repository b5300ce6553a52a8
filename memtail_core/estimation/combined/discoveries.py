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
from memtail_core.estimation.combined.prior import Narrow
from memtail_core.estimation.combined.response import Response
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
        influence: float64 [P], the posterior mean, in units of the outcome; with a response, on
            accuracy.
        ci_low, ci_high: float64 [P], the 95% interval.
        false_sign_rate: float64 [P].
        q_value: float64 [P], the expected share of wrong signs among all pairs as sure as this.
        n_tested: how many pairs were looked at.
        n_found: how many of them fulfil what was asked; P is less if only the first were kept.
    """

    train: Indices
    test: Indices
    influence: Floats
    ci_low: Floats
    ci_high: Floats
    false_sign_rate: Floats
    q_value: Floats
    n_tested: int
    n_found: int

    @property
    def standard_error(self) -> Floats:
        """Half the interval in units of 1.96, float64 [P]."""
        return (self.ci_high - self.ci_low) / (2 * Z95)

    def of_harm(self) -> "Discoveries":
        """Read what a search for harm gave as influence: negative."""
        low, high = -self.ci_high, -self.ci_low
        return replace(self, influence=-self.influence, ci_low=low, ci_high=high)

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
    response: Response | None = None,
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
        response: what influence on margins does to accuracy, which is then what is listed.
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
            estimate = _effect(mean, columns, response, harmful)
            log_rate = _log_rate(mean, error)
            level = levels(log_rate)
            is_up = estimate > 0
            counts += np.bincount(level[is_up], minlength=LEVELS)
            sums += np.bincount(level[is_up], np.exp(log_rate[is_up]), LEVELS)
            i, j = np.nonzero(reaches(estimate, theta) & is_up)
            at = i, j
            ends = _interval(mean[at], error[at], columns[j], response, harmful)
            kept.append((part[i], columns[j], estimate[at], *ends, log_rate[at]))
            n_kept += len(i)
            if n_kept > MOST_PAIRS:
                raise EstimationError(
                    f"more than {MOST_PAIRS:,} pairs, too many to list: ask for more influence"
                )
            if progress is not None:
                progress(len(part) * len(columns))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64), *(np.zeros(0) for _ in range(4))
    train, test, value, low, high, log_rate = map(np.concatenate, zip(nothing, *kept, strict=True))
    mean_rate = np.cumsum(sums[::-1])[::-1] / np.maximum(1, np.cumsum(counts[::-1])[::-1])
    q = mean_rate[levels(log_rate.astype(np.float64))]
    chosen = np.arange(len(q)) if fdr is None else np.flatnonzero(q <= fdr)
    order = chosen[np.lexsort((test[chosen], train[chosen], -value[chosen]))]
    first = order[:top]
    return Discoveries(
        train=train[first],
        test=test[first],
        influence=value[first],
        ci_low=low[first],
        ci_high=high[first],
        false_sign_rate=np.exp(log_rate[first].astype(np.float64)),
        q_value=q[first],
        n_tested=family.n_pairs,
        n_found=len(order),
    )


def _effect(
    moved: NDArray[np.floating], test: Indices, response: Response | None, harmful: bool
) -> Floats:
    """What is listed: influence in units of the outcome, or on accuracy; of harm, turned."""
    effect = moved.astype(np.float64) if response is None else response.influence(moved, test)
    return -effect if harmful else effect


def _interval(
    moved: Narrow, error: Narrow, test: Indices, response: Response | None, harmful: bool
) -> tuple[Floats, Floats]:
    """The 95% interval of what is listed."""
    at, half = moved.astype(np.float64), Z95 * error.astype(np.float64)
    low, high = at - half, at + half
    if response is not None:
        low, high = response.interval(at, (low, high), test)
    return (-high, -low) if harmful else (low, high)


def _log_rate(estimate: Narrow, error: Narrow) -> Floats:
    """ln Φ(−|û| / s), float64; ln ½ where nothing is known."""
    known = error > 0
    z = np.abs(estimate) / np.where(known, error, 1)
    return np.asarray(log_ndtr(-np.where(known, z, 0.0)))
