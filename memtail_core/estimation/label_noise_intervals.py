"""95% intervals for the probability that a label is wrong: what a finite number of models leaves.

They are for the probability that the same model of label noise (:mod:`.label_noise`) would give
with infinitely many models of the same data and recipe:

    logit P_i = logit ε − ln(C − 1) − logit p_i

p_i varies as :mod:`.held_out_margins` says. ε is too large with few models, because noise makes
tails. The jackknife over ten groups of models gives its standard error and, if its bias b shrinks
as 1/n, b. In simulations and studies b shrinks as 1/√n, which makes it 2 b; b is added to the
standard error. The interval is that of the middle 95% of the draws, widened to hold the estimate,
its ends rounded outwards to hundredths.

The draws are 256 points of Halton's sequence, the same for all examples: nothing is random.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from memtail_core.estimation.held_out_margins import FEWEST, HeldOutMargins
from memtail_core.estimation.label_noise import LabelNoise

Floats = NDArray[np.float64]

_GROUPS = 10
_TAILS = (0.025, 0.975)
_DIGITS = 2
_POINTS = 256
_BASES = (2, 3, 5)
_CHUNK = 4096  # examples at a time


def wrong_label_intervals(
    noise: LabelNoise,
    margin: NDArray[np.floating],
    judged: NDArray[np.bool_],
    n_classes: int,
    of: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of some examples, float64 [len(of)] each, in hundredths.

    NaN where fewer than 3 models judge the label.

    Args:
        noise: what :func:`label_noise` finds in the same margins.
        margin: float [T, n], log p − log(1 − p) of each model and example.
        judged: bool [T, n], whether the model judges the example's label: it held it out.
        n_classes: C.
        of: int64, the examples to give intervals for.
    """
    low, high = np.full((2, len(of)), np.nan)
    known = judged.sum(axis=0) >= FEWEST
    asked = np.flatnonzero(known[of])
    if not len(asked):
        return low, high
    points = np.stack([_van_der_corput(base) for base in _BASES])
    log_odds = _log_odds_of_noise(noise.rate, margin, judged, n_classes, points[2])
    place = np.cumsum(known) - 1
    margins = HeldOutMargins.fit(margin, judged, np.flatnonzero(known))
    for first in range(0, len(asked), _CHUNK):
        some = asked[first : first + _CHUNK]
        plausible = margins.rows(place[of[some]]).log_odds(points[0], points[1])
        drawn = log_odds - np.log(max(1, n_classes - 1)) - plausible
        estimate = noise.probability[of[some]]
        ends = expit(np.quantile(drawn, _TAILS, axis=1))
        scale = 10.0**_DIGITS
        low[some] = np.floor(np.minimum(ends[0], estimate) * scale) / scale
        high[some] = np.ceil(np.maximum(ends[1], estimate) * scale) / scale
    return low, high


def _log_odds_of_noise(
    rate: float,
    margin: NDArray[np.floating],
    judged: NDArray[np.bool_],
    n_classes: int,
    points: Floats,
) -> Floats:
    """Draw logit ε, without its bias, float64 [256]."""
    groups = min(_GROUPS, len(margin))
    n = margin.shape[1]
    total, counts = np.zeros((2, groups, n))
    for k, (z, held_out) in enumerate(zip(margin, judged, strict=True)):
        total[k % groups] += np.where(held_out, expit(z.astype(np.float64)), 0.0)
        counts[k % groups] += held_out
    least = 0.5 / n  # half an example
    without = np.empty(groups)
    for k in range(groups):
        of = counts.sum(axis=0) - counts[k]
        seen = of > 0
        p = (total.sum(axis=0) - total[k])[seen] / of[seen]
        without[k] = _clipped_log_odds(noise_rate(p, n_classes), least)
    estimate = _clipped_log_odds(rate, least)
    bias = (groups - 1) * (estimate - without.mean())  # with the sign changed
    variance = (groups - 1) / groups * np.square(without - without.mean()).sum()
    spread = np.sqrt(variance + bias**2)
    drawn: Floats = estimate + 2 * bias + spread * stdtrit(groups - 1, points)
    return drawn


def noise_rate(label_probability: Floats, n_classes: int) -> float:
    """Return ε of :func:`label_noise` by bisection: the likelihood is concave, and this is quick.

    Args:
        label_probability: float64 [n], all known.
        n_classes: C.
    """
    slope = (1 - label_probability) / max(1, n_classes - 1) - label_probability
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        likelihood = np.maximum(label_probability + middle * slope, 1e-300)
        low, high = (middle, high) if (slope / likelihood).sum() > 0 else (low, middle)
    return (low + high) / 2


def _clipped_log_odds(rate: float, least: float) -> float:
    return float(logit(min(max(rate, least), 1 - least)))


def _van_der_corput(base: int) -> Floats:
    """The digits of 1 … 256 in a base, mirrored at the point, float64 [256]."""
    left, value, part = np.arange(1, _POINTS + 1), np.zeros(_POINTS), 1.0
    while left.any():
        part /= base
        value += part * (left % base)
        left //= base
    return value
