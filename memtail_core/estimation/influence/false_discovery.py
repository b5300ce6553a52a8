"""Which pairs are more than chance, when hundreds of millions are tested.

Benjamini & Hochberg (1995): reject the pairs with p ≤ p*, p* the largest threshold with

    N p* / #{p ≤ p*} ≤ FDR

so that among those rejected the expected share without influence is at most FDR. Here p* is sought
on a grid of thresholds, 16 to a decade, so that counts by level are all one pass has to keep. The
control holds on a grid as it does on all p-values; what is found is at least what the exact
procedure finds at a rate 10^(1/16) = 1.15 times smaller.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PER_DECADE = 16
LEVELS = 400 * PER_DECADE
_STEP = math.log(10) / PER_DECADE
_SLACK = 1e-10  # of ln p: a p-value that equals a threshold is at it, however it was rounded


def levels(log_p: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the level of each ln p: the largest l with p ≤ 10^(−l/16), at most LEVELS − 1."""
    found = np.floor(np.minimum((_SLACK - log_p) / _STEP, LEVELS - 1))
    return np.asarray(found.astype(np.int64))


def log_threshold(level: int) -> float:
    """Return the largest ln p of a level."""
    return -level * _STEP + _SLACK


@dataclass(frozen=True, eq=False)
class Levels:
    """How many of the tested pairs have p-values of each level.

    Attributes:
        n_tested: all of them.
        counts: int64 [LEVELS], complete from ``first`` on: those of larger p were not counted.
        first: a level.
    """

    n_tested: int
    counts: NDArray[np.int64]
    first: int

    @property
    def at_least(self) -> NDArray[np.int64]:
        """How many pairs have p at or below the threshold of each level, int64 [LEVELS]."""
        return np.cumsum(self.counts[::-1])[::-1]

    @property
    def q_values(self) -> NDArray[np.float64]:
        """The least FDR at which pairs of each level are rejected, float64 [LEVELS].

        q_l = min over l' ≤ l of N p_l' / #{p ≤ p_l'}; 1 where the p-values were not counted.
        """
        wanted = self.n_tested * np.exp(-_STEP * np.arange(LEVELS))
        share = np.minimum(1.0, wanted / np.maximum(1, self.at_least))
        share[: self.first] = 1.0
        return np.asarray(np.minimum.accumulate(share))

    def threshold(self, fdr: float) -> int | None:
        """Return the first level that is rejected at this rate, or None if none is."""
        rejected = np.flatnonzero((self.q_values <= fdr) & (self.at_least > 0))
        return int(rejected[0]) if len(rejected) else None
