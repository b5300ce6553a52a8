"""What the trials say of every example, as sums that a trial can be taken out of again."""

from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums over those trials that trained on an example, or over those that did not.

    Attributes:
        n: float64 [n], how many trials; correct: how many of them got it right.
        margin, square: float64 [n], the sums of the squashed margins and of their squares.
        soft: float64 [n], the sum of the probabilities given to the label.
    """

    n: Floats
    correct: Floats
    margin: Floats
    square: Floats
    soft: Floats

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(self._sums(), other._sums(), strict=True)))

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(*(a - b for a, b in zip(self._sums(), other._sums(), strict=True)))

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
    def variance(self) -> Floats:
        """The unbiased variance of the margins between trials; NaN with fewer than two."""
        with np.errstate(invalid="ignore", divide="ignore"):
            left = self.square - self.margin**2 / self.n
            return np.where(self.n > 1, np.maximum(left, 0) / (self.n - 1), np.nan)

    def _mean(self, total: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.n > 0, total / self.n, np.nan)

    def _sums(self) -> tuple[Floats, ...]:
        return self.n, self.correct, self.margin, self.square, self.soft


@dataclass(frozen=True, eq=False)
class Sides:
    """The tallies of both kinds of trials."""

    held_in: Tally
    held_out: Tally

    def __add__(self, other: "Sides") -> "Sides":
        return Sides(self.held_in + other.held_in, self.held_out + other.held_out)

    def __sub__(self, other: "Sides") -> "Sides":
        return Sides(self.held_in - other.held_in, self.held_out - other.held_out)


@dataclass(frozen=True, eq=False)
class Observed:
    """T trials in an order that does not depend on the one they came in.

    Attributes:
        inside, correct: bool [T, n].
        margin: float [T, n], squashed: asinh(margin / scale), with a scale of half the spread of
            held-out margins, so that what is far from the border of the classes hardly counts.
        soft: float [T, n], the probability given to the label.
    """

    inside: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    margin: NDArray[np.float32]
    soft: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        inside: NDArray[np.bool_],
        correct: NDArray[np.bool_],
        margin: NDArray[np.floating] | None,
    ) -> "Observed":
        """Put the trials in order, by their subsets; without margins, bits stand for them."""
        order = np.lexsort(np.packbits(inside, axis=1).T[::-1])
        inside, correct = inside[order], correct[order]
        if margin is None:
            soft = correct.astype(np.float32)
            return cls(inside, correct, 2 * soft - 1, soft)
        given = margin[order].astype(np.float32)
        held_out = given[~inside]
        spread = float((held_out if len(held_out) else given).std(dtype=np.float64))
        squashed = np.arcsinh(given / (spread / 2 or 1.0))
        return cls(inside, correct, squashed, 1 / (1 + np.exp(-np.clip(given, -80, 80))))

    def __len__(self) -> int:
        return len(self.inside)

    def trial(self, k: int) -> Sides:
        """The tallies of one trial alone."""
        inside, values = self.inside[k].astype(np.float64), self._values(k)
        return Sides(
            Tally(inside, *(value * inside for value in values)),
            Tally(1 - inside, *(value * (1 - inside) for value in values)),
        )

    def trials(self, which: range | list[int]) -> Sides:
        """The tallies of several trials."""
        return reduce(add, (self.trial(k) for k in which))

    def _values(self, k: int) -> tuple[Floats, ...]:
        margin = self.margin[k].astype(np.float64)
        soft = self.soft[k].astype(np.float64)
        return self.correct[k].astype(np.float64), margin, margin**2, soft
