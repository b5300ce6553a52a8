"""Class probabilities of held-out examples: exact sums, whose means depend on no order.

A model's probability is a float16, and every float16 from 0 to 1 is a whole multiple of 2⁻²⁴. So
sums over trials are sums of whole numbers: they are the same bits in whatever order, and by however
many processes, the trials were trained. Of training example i and class c, over the trials k that
held i out,

    mean_ic = Σ p_kc(x_i) / n_out,i         spread_ic = √(Σ p_kc(x_i)² / n_out,i − mean_ic²)

are what the models say on average, and how far apart they are: the standard deviation of one model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNITS = 2**24  # to a probability of 1


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Sums over the trials that held each of n examples out.

    Attributes:
        n_out: int64 [n], how many those are.
        total: uint64 [n, C], Σ p in units of 2⁻²⁴.
        squares: uint64 [n, C], Σ p² in the same units, each p² rounded to them.
    """

    n_out: NDArray[np.int64]
    total: NDArray[np.uint64]
    squares: NDArray[np.uint64]

    @classmethod
    def none(cls, n: int, n_classes: int) -> "HeldOut":
        """No trials."""
        zeros = (np.zeros((n, n_classes), np.uint64) for _ in range(2))
        return cls(np.zeros(n, np.int64), *zeros)

    @classmethod
    def of(cls, subset: NDArray[np.bool_], probability: NDArray[np.float16]) -> "HeldOut":
        """Add up K trials.

        Args:
            subset: bool [K, n], the examples that each trained on.
            probability: float16 [K, n, C], from 0 to 1, that each gives each class.
        """
        _, n, n_classes = probability.shape
        made = cls.none(n, n_classes)
        for inside, given in zip(subset, probability, strict=True):
            out = ~inside
            units = np.rint(given[out].astype(np.float64) * UNITS).astype(np.uint64)
            made.n_out[out] += 1
            made.total[out] += units
            made.squares[out] += (units * units + np.uint64(UNITS // 2)) // np.uint64(UNITS)
        return made

    def plus(self, other: "HeldOut") -> "HeldOut":
        """Return the sums over these trials and those of ``other``."""
        return HeldOut(
            self.n_out + other.n_out, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean probability, float64 [n, C]; NaN of an example that no trial held out."""
        return self._per_trial(self.total)

    @property
    def spread(self) -> NDArray[np.float64]:
        """The standard deviation between models, float64 [n, C]; NaN where the mean is."""
        variance = self._per_trial(self.squares) - np.square(self.mean)
        return np.sqrt(np.maximum(variance, 0.0))

    def _per_trial(self, sums: NDArray[np.uint64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return sums / UNITS / self.n_out[:, None]
