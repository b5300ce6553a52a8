"""Was an example in the training set? Attacks on each trial, all others being shadow models.

With φ the margin log p_y − log(1 − p_y) that a trial gives example i, the likelihood ratio is

    Λ = log N(φ; μ_in, σ²_in) − log N(φ; μ_out, σ²_out)

with mean and variance of the margins that shadow models trained with, and without, the example give
it (Carlini, Chien, Nasr, Song, Terzis & Tramèr, "Membership Inference Attacks From First
Principles", IEEE S&P 2022, the online attack). Every trial is the target once and all others its
shadow models. What they say without the target comes of sums less one summand, so that T targets
cost as much as one:

    n' = n − 1,   S' = S − φ,   Q' = Q − φ²      of the group the target is in;   μ = S'/n',
    σ² = (Q' − S'²/n') / (n' − 1)

Variances are an example's own, or pooled over all examples, which is better where shadow models
are few. Beside them the attack of Yeom, Giacomelli, Fredrikson & Jha (CSF 2018): a small loss
means a member. The loss log(1 + e^−φ) falls with φ, so the margin itself is its score.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.roc import auc_of_columns

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]
Bools = NDArray[np.bool_]

OWN, POOLED, LOSS = "likelihood ratio", "likelihood ratio, pooled variance", "loss"
FEWEST = 3  # trials with and without an example: two shadow models, and the target
_AT_ONCE = 2**20  # margins looked at at a time
_LEAST_VARIANCE = 1e-6  # of a margin that all models give, but for rounding to float16


@dataclass(frozen=True, eq=False)
class AttackedExamples:
    """Attacks on some examples.

    Attributes:
        examples: int64 [c], which.
        x: float64 [T, c], their margins, less each one's mean.
        is_member: bool [T, c], which trials trained on each.
        scores: of each attack, float32 [T, c]: higher means a member.
    """

    examples: NDArray[np.int64]
    x: Floats
    is_member: Bools
    scores: dict[str, Scores]


@dataclass(frozen=True, eq=False)
class Attacks:
    """The trials of a study as targets.

    Attributes:
        margin: float16 [T, n], of the training examples.
        subset: uint8 [T, ⌈n/8⌉], packed bits.
        examples: int64 [m], those that enough trials trained on, and enough did not.
        pooled: float64 [2, T], the pooled variance in and out without each target.
    """

    margin: NDArray[np.float16]
    subset: NDArray[np.uint8]
    examples: NDArray[np.int64]
    pooled: Floats

    @classmethod
    def of(cls, margin: NDArray[np.float16], subset: NDArray[np.uint8]) -> "Attacks":
        """Sum up what all targets have in common."""
        n_trials, n = margin.shape
        n_in = sum(
            np.unpackbits(row, count=n).astype(np.int64)
            for row in subset  # one at a time: bits are eight times as many bytes
        )
        enough = np.flatnonzero((n_in >= FEWEST) & (n_trials - n_in >= FEWEST))
        squares, freedom = np.zeros((2, n_trials)), np.zeros((2, n_trials))
        for columns in _chunks(enough, n_trials):
            fits = _fits(*_columns(margin, subset, columns))
            for row, fit in enumerate(fits):
                squares[row] += fit.squares.sum(axis=1)
                freedom[row] += (fit.n - 1).sum(axis=1)
        pooled = np.maximum(squares / np.maximum(freedom, 1), _LEAST_VARIANCE)
        return cls(margin, subset, enough, pooled)

    def parts(self, progress: Callable[[int], None] | None = None) -> Iterator[AttackedExamples]:
        """Score all targets, some examples at a time; ``progress`` is called with how many."""
        for columns in _chunks(self.examples, len(self.margin)):
            x, is_member = _columns(self.margin, self.subset, columns)
            fits = _fits(x, is_member)
            own = [np.maximum(fit.squares / (fit.n - 1), _LEAST_VARIANCE) for fit in fits]
            pooled = [each[:, None] for each in self.pooled]
            scores = {
                name: (_log_density(x, fits[0], of[0]) - _log_density(x, fits[1], of[1])).astype(
                    np.float32
                )
                for name, of in ((OWN, own), (POOLED, pooled))
            }
            scores[LOSS] = self.margin[:, columns].astype(np.float32)
            yield AttackedExamples(columns, x, is_member, scores)
            if progress is not None:
                progress(len(columns))


def membership_auc(
    x: Floats, is_member: Bools, is_odd: Bools, variance: Floats | None = None
) -> Floats:
    """Compute how well the attack tells an example's members from others, float64 [c]: its AUC.

    The probability that a trial that trained on it has the higher likelihood ratio, ties counting
    half (Mann & Whitney 1947). Shadow models are the half of the trials that the two are not in:
    ratios of which each leaves out its own target cannot be compared for one example, for a high
    margin is then compared with a mean that lacks it, and where there is no signal, the
    area would be 0.46 (Airola, Pahikkala, Waegeman, De Baets & Salakoski 2011).

    Args:
        x, is_member: [T, c], margins and membership.
        is_odd: bool [T], which half a trial is in.
        variance: float64 [2], in and out, pooled over examples; None: each example's own.

    Returns:
        NaN where a half has too few trials with the example, or without.
    """
    found = []
    for half in (is_odd, ~is_odd):
        ratio, inside = np.zeros((int(half.sum()), x.shape[1])), is_member[half]
        enough = inside.any(axis=0) & ~inside.all(axis=0)
        for side, sign, pooled in zip((True, False), (1, -1), (0, 1), strict=True):
            group = is_member[~half] == side
            n = group.sum(axis=0)
            enough &= n >= 2
            own = np.where(group, x[~half], 0)
            mean = own.sum(axis=0) / np.maximum(n, 1)
            squares = np.maximum((own**2).sum(axis=0) - n * mean**2, 0) / np.maximum(n - 1, 1)
            of = squares if variance is None else np.full(len(n), variance[pooled])
            fit = _Fit(n, mean, squares)
            ratio += sign * _log_density(x[half], fit, np.maximum(of, _LEAST_VARIANCE))
        found.append(np.where(enough, auc_of_columns(ratio, inside), np.nan))
    return np.asarray((found[0] + found[1]) / 2)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A normal distribution of margins, all [T, c] without each target, or [c] of other trials."""

    n: Floats
    mean: Floats
    squares: Floats  # deviations from the mean, squared and summed


def _fits(x: Floats, is_member: Bools) -> tuple[_Fit, _Fit]:
    """Fit what trained with each example, and what trained without it, leaving out each target."""
    found = []
    for group in (is_member, ~is_member):
        own = np.where(group, x, 0)
        n = group.sum(axis=0) - group.astype(np.float64)
        total = own.sum(axis=0) - own
        squares = (own**2).sum(axis=0) - own**2
        mean = total / n
        found.append(_Fit(n, mean, np.maximum(squares - total * mean, 0)))
    return found[0], found[1]


def _log_density(x: Floats, fit: _Fit, variance: Floats) -> Floats:
    """Up to a constant."""
    return np.asarray(-0.5 * (np.log(variance) + (x - fit.mean) ** 2 / variance))


def _columns(
    margin: NDArray[np.float16], subset: NDArray[np.uint8], columns: NDArray[np.int64]
) -> tuple[Floats, Bools]:
    """Return margins less their mean, which loses fewer digits in sums of squares; and members."""
    x = margin[:, columns].astype(np.float64)
    bits = subset[:, columns // 8] >> (7 - columns % 8).astype(np.uint8) & 1
    return x - x.mean(axis=0), bits.astype(np.bool_)


def _chunks(examples: NDArray[np.int64], n_trials: int) -> Iterator[NDArray[np.int64]]:
    step = max(1, _AT_ONCE // n_trials)
    for start in range(0, len(examples), step):
        yield examples[start : start + step]
