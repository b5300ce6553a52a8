"""What some of the trials say of every example, as sums from which a trial can be subtracted."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from memtail_core.estimation.estimator import Signals

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over those trials that trained on an example, or over those that did not.

    Attributes:
        n: float64 [n], how many trials; correct: how many of them got it right.
        margin, square: float64 [n], the sums of the squashed margins and of their squares.
        soft: float64 [n], the sum of the probabilities given to the label.
        recorded: float64 [n], how many of the trials have signals; signal: float64 [n, F], the sums
            of these.
    """

    n: Floats
    correct: Floats
    margin: Floats
    square: Floats
    soft: Floats
    recorded: Floats
    signal: Floats

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(a + b for a, b in zip(self._sums(), other._sums(), strict=True)))

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(*(a - b for a, b in zip(self._sums(), other._sums(), strict=True)))

    @property
    def rate(self) -> Floats:
        """The unbiased rate of correctness, float64 [n]; NaN where there is no trial."""
        return self._mean(self.correct)

    @property
    def mean_margin(self) -> Floats:
        """The mean squashed margin, float64 [n]; NaN where there is no trial."""
        return self._mean(self.margin)

    @property
    def mean_soft(self) -> Floats:
        """The mean probability of the label, float64 [n]; NaN where there is no trial."""
        return self._mean(self.soft)

    @property
    def mean_signals(self) -> Floats:
        """The mean of each signal, float64 [n, F]; NaN where no trial has any."""
        with np.errstate(invalid="ignore", divide="ignore"):
            n = self.recorded[:, None]
            return np.where(n > 0, self.signal / n, np.nan)

    @property
    def variance(self) -> Floats:
        """The unbiased variance of the margins between trials; NaN with fewer than two."""
        with np.errstate(invalid="ignore", divide="ignore"):
            left = self.square - self.margin**2 / self.n
            return np.where(self.n > 1, np.maximum(left, 0) / (self.n - 1), np.nan)

    def _mean(self, total: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.n > 0, total / self.n, np.nan)

    def _sums(self) -> tuple[Floats, ...]:
        counts = (self.n, self.correct, self.margin, self.square, self.soft)
        return *counts, self.recorded, self.signal


@dataclass(frozen=True, eq=False)
class Sides:
    """The sums over both kinds of trials."""

    held_in: Sums
    held_out: Sums

    def __add__(self, other: "Sides") -> "Sides":
        return Sides(self.held_in + other.held_in, self.held_out + other.held_out)

    def __sub__(self, other: "Sides") -> "Sides":
        return Sides(self.held_in - other.held_in, self.held_out - other.held_out)


@dataclass(frozen=True, eq=False)
class OrderedTrials:
    """T trials in an order that depends on their subsets alone, so that results do too.

    Attributes:
        inside, correct: bool [T, n].
        margin: float [T, n], or None: then ±1 stands for the margin.
        order: int64 [T], the trials sorted by their subsets.
        scale: margins are squashed, asinh(margin / scale), with half the standard deviation of
            held-out ones as the scale: differences far from the decision boundary hardly count.
        signals: of some of the trials, or None.
    """

    inside: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    margin: NDArray[np.floating] | None
    order: NDArray[np.int64]
    scale: float
    signals: Signals | None

    @classmethod
    def of(
        cls,
        inside: NDArray[np.bool_],
        correct: NDArray[np.bool_],
        margin: NDArray[np.floating] | None,
        signals: Signals | None = None,
    ) -> "OrderedTrials":
        """Sort the trials, and compute the scale of the margins."""
        order = np.lexsort(np.packbits(inside, axis=1).T[::-1]).astype(np.int64)
        if margin is None:
            return cls(inside, correct, None, order, 1.0, signals)
        count = total = square = 0.0
        for k in order:
            values = margin[k, ~inside[k]].astype(np.float64)
            count, total = count + len(values), total + float(values.sum())
            square += float((values**2).sum())
        spread = np.sqrt(max(square / count - (total / count) ** 2, 0)) if count else 0.0
        return cls(inside, correct, margin, order, float(spread) / 2 or 1.0, signals)

    def __len__(self) -> int:
        return len(self.inside)

    def trial(self, k: int) -> Sides:
        """The sums of the k-th trial alone."""
        inside = self.inside[self.order[k]].astype(np.float64)
        values = (*self._values(k), *self._signals(k))
        return Sides(
            Sums(inside, *(value * _beside(inside, value) for value in values)),
            Sums(1 - inside, *(value * _beside(1 - inside, value) for value in values)),
        )

    def trials(self, which: Iterable[int]) -> Sides:
        """The sums of several trials."""
        return reduce(add, (self.trial(k) for k in which))

    def outcome(self, k: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which examples the k-th trial trained on, and which it got right, bool [n] each."""
        return self.inside[self.order[k]], self.correct[self.order[k]]

    def _values(self, k: int) -> tuple[Floats, ...]:
        correct = self.correct[self.order[k]].astype(np.float64)
        if self.margin is None:
            sign = 2 * correct - 1
            return correct, sign, sign**2, correct
        given = self.margin[self.order[k]].astype(np.float64)
        squashed = np.arcsinh(given / self.scale)
        return correct, squashed, squashed**2, expit(given)

    def _signals(self, k: int) -> tuple[Floats, Floats]:
        """Whether the trial has signals, [n], and these, [n, F]."""
        n = self.inside.shape[1]
        if self.signals is None:
            return np.zeros(n), np.zeros((n, 0))
        of_trial = np.flatnonzero(self.signals.trial == self.order[k])
        if not len(of_trial):
            return np.zeros(n), np.zeros(self.signals.value.shape[1:])
        return np.ones(n), self.signals.value[of_trial[0]].astype(np.float64)


def _beside(counted: Floats, value: Floats) -> Floats:
    return counted if value.ndim == 1 else counted[:, None]
