"""Simulated margins of held-out models, where what infinitely many models would say is known.

A share of labels is wrong. The margin of example i by a model of quality a is

    z = μ_i + σ_i (0.3 a + √0.91 e)

with a standard normal and e of skewness −0.45, as margins of real networks have.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaincinv, ndtri

from memtail_core.estimation.label_noise import LabelNoise, label_noise
from memtail_core.estimation.label_noise_intervals import wrong_label_intervals

CLASSES = 10
KINDS = {"8% wrong labels": 0.08, "4% wrong labels": 0.04, "hardly any": 0.02}
GROUPS = ("typical", "doubtful", "likely wrong")  # estimates below 0.02, up to 0.98, of 0.5
_SHARED, _SHAPE = 0.3, 20.0
_QUALITIES, _NOISES = 64, 1024  # equally likely values

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labels:
    """Examples: ``mean`` and ``spread`` of their margins, float64 [n]."""

    mean: Floats
    spread: Floats

    @classmethod
    def random(cls, rng: np.random.Generator, wrong: float, n: int = 2000) -> "Labels":
        """Of correct labels most margins are large; a few examples are as odd as wrong labels."""
        is_wrong = rng.random(n) < wrong
        mean = np.where(is_wrong, rng.normal(-6.5, 2.5, n), rng.normal(7.5, 3.5, n))
        spread = np.exp(rng.normal(np.log(1.8), 0.3, n)) * (1 + 0.03 * abs(mean))
        return cls(mean, spread)

    def truth(self) -> LabelNoise:
        """What infinitely many models say."""
        values, weights = _values()
        p = np.array(
            [expit(m + s * values) @ weights for m, s in zip(self.mean, self.spread, strict=True)]
        )
        return label_noise(p, CLASSES)

    def margins(self, rng: np.random.Generator, trials: int) -> Floats:
        """Margins of some models, float64 [T, n]."""
        n = len(self.mean)
        quality = _qualities()[rng.integers(_QUALITIES, size=(trials, 1))]
        luck = _noises()[rng.integers(_NOISES, size=(trials, n))]
        found: Floats = self.mean + self.spread * (
            _SHARED * quality + np.sqrt(1 - _SHARED**2) * luck
        )
        return found


def held_out(rng: np.random.Generator, trials: int, n: int, count: int) -> NDArray[np.bool_]:
    """Who is held out of which model, bool [T, n]: each example of ``count`` models."""
    order = rng.random((trials, n)).argpartition(count - 1, axis=0)
    judged = np.zeros((trials, n), np.bool_)
    np.put_along_axis(judged, order[:count], values=True, axis=0)
    return judged


def missed(seed: int, wrong: float, trials: int) -> dict[str, NDArray[np.bool_]]:
    """Whether each interval misses, by the estimates: of all that are doubtful, of 100 others.

    Ten models hold each example out of five, more out of three in ten.
    """
    rng = np.random.default_rng(seed)
    labels = Labels.random(rng, wrong)
    margin, n = labels.margins(rng, trials), len(labels.mean)
    judged = held_out(rng, trials, n, 5 if trials == 10 else round(0.3 * trials))
    p = np.where(judged, expit(margin), 0).sum(axis=0) / judged.sum(axis=0)
    found, truth = label_noise(p, CLASSES), labels.truth().probability
    doubtful = found.probability >= 0.02
    of = np.concatenate(
        [np.flatnonzero(doubtful), rng.choice(np.flatnonzero(~doubtful), 100, replace=False)]
    )
    low, high = wrong_label_intervals(found, margin, judged, CLASSES, of)
    misses, estimate = (truth[of] < low) | (high < truth[of]), found.probability[of]
    groups = (estimate < 0.02, (estimate >= 0.02) & (estimate <= 0.98), estimate >= 0.5)
    return {name: misses[group] for name, group in zip(GROUPS, groups, strict=True)}


@cache
def _qualities() -> Floats:
    values: Floats = ndtri((np.arange(_QUALITIES) + 0.5) / _QUALITIES)
    return values


@cache
def _noises() -> Floats:
    quantiles = gammaincinv(_SHAPE, (np.arange(_NOISES) + 0.5) / _NOISES)
    values: Floats = -(quantiles - _SHAPE) / np.sqrt(_SHAPE)
    return values


@cache
def _values() -> tuple[Floats, Floats]:
    """The sums of both, and their probabilities; but for the ends, means of 256 neighbours."""
    every = _SHARED * _qualities()[:, None] + np.sqrt(1 - _SHARED**2) * _noises()
    every = np.sort(every, axis=None)
    middle = every[128:-128].reshape(-1, 256)
    values = np.concatenate([every[:128], middle.mean(axis=1), every[-128:]])
    weights = np.concatenate([np.ones(128), np.full(len(middle), 256.0), np.ones(128)])
    return values, weights / weights.sum()
