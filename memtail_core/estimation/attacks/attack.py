"""What a membership attack is: it looks at all examples once, then scores each for each target.

An attack is one file with an :class:`Attack` and its :class:`Fit`, and one line in
:mod:`memtail_core.estimation.attacks.registry`. Targets are K models that are attacked. References
are other models, some trained with an example and some without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_VARIANCE = 1e-6  # of a margin that all models give, but for rounding to float16


@dataclass(frozen=True, eq=False)
class Group:
    """References that trained with each of c examples, or without.

    All are float64 [K, c], or [1, c] where no target is among the references.

    Attributes:
        n: how many.
        mean: of their margins, less ``Tile.origin``.
        squares: deviations of their margins from the mean, squared and summed.
        probability: the mean of p = 1 / (1 + e^−φ) of their margins φ.
    """

    n: Floats
    mean: Floats
    squares: Floats
    probability: Floats

    @cached_property
    def variance(self) -> Floats:
        """The variance of the margins of each example, not below ``LEAST_VARIANCE``."""
        return np.maximum(self.squares / (self.n - 1), LEAST_VARIANCE)


@dataclass(frozen=True, eq=False)
class Tile:
    """Some examples, K targets and what the references make of them.

    Attributes:
        examples: int64 [c], which.
        margin: float64 [K, c], φ = log p_y − log(1 − p_y) that each target gives each example.
        origin: float64 [c], subtracted from margins, so that sums of squares lose fewer digits.
        inside, outside: the references that trained with each example, and those without.
        is_member: bool [K, c], which targets trained on each; None where nobody knows.
    """

    examples: NDArray[np.int64]
    margin: Floats
    origin: Floats
    inside: Group
    outside: Group
    is_member: Bools | None

    @cached_property
    def x(self) -> Floats:
        """The margins of the targets, less ``origin``."""
        return self.margin - self.origin

    @cached_property
    def probability(self) -> Floats:
        """The probability of the label, float64 [K, c]."""
        return logistic(self.margin)


@dataclass(frozen=True, eq=False)
class Population:
    """Examples that neither targets nor references trained on.

    Attributes:
        target: float64 [K, Z], the probability of the label that each target gives each.
        reference: float64 [K or 1, Z], its mean over the references.
    """

    target: Floats
    reference: Floats


class Fit(Protocol):
    """An attack at work: fed with all tiles once, then asked for scores."""

    def add(self, tile: Tile) -> None:
        """Look at some examples."""

    def scores(self, tile: Tile) -> Floats:
        """Return scores [K, c] after all tiles were added: higher means a member."""


@dataclass(frozen=True)
class Attack:
    """Infers membership from margins. The same input gives the same bits.

    Attributes:
        word: what ``--attacks`` calls it.
        name: what tables, results and sentences call it.
        source: who published it, in a line.
        begin: makes its :class:`Fit`; the population is None where there is none.
        needs_population: whether it compares with examples that no model trained on.
    """

    word: str
    name: str
    source: str
    begin: Callable[[Population | None], Fit]
    needs_population: bool = False


class Unfitted:
    """Base of fits that need nothing of other examples."""

    def add(self, tile: Tile) -> None:
        """Nothing to look at."""


def logistic(margin: Floats) -> Floats:
    """Return 1 / (1 + e^−φ)."""
    from scipy.special import expit

    return np.asarray(expit(margin))
