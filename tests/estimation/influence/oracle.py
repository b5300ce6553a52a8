"""Every pair of small matrices looked at by itself: unpacked bits, exact integers and fractions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence import Evidence

Bools = NDArray[np.bool_]


def packed(bits: Bools) -> NDArray[np.uint8]:
    return np.packbits(bits, axis=1)


def evidence(subset: Bools, correct: Bools, train_correct: Bools | None = None) -> Evidence:
    own = None if train_correct is None else packed(train_correct)
    return Evidence.of(packed(subset), packed(correct), subset.shape[1], correct.shape[1], own)


@cache
def exact_p(x: int, n_in: int, total: int, trials: int) -> Fraction:
    """P[x or more of the right trials are among the n_in], by counting the ways."""
    ways = sum(
        math.comb(total, y) * math.comb(trials - total, n_in - y)
        for y in range(max(x, 0), min(n_in, total) + 1)
        if n_in - y <= trials - total
    )
    return Fraction(ways, math.comb(trials, n_in))


def exact_influence(x: int, n_in: int, total: int, trials: int) -> Fraction:
    return Fraction(x, n_in) - Fraction(total - x, trials - n_in)


@dataclass(frozen=True)
class Pair:
    train: int
    test: int
    count: int
    n_in: int
    total: int
    trials: int

    @property
    def influence(self) -> Fraction:
        return exact_influence(self.count, self.n_in, self.total, self.trials)

    @property
    def p_value(self) -> Fraction:
        return exact_p(self.count, self.n_in, self.total, self.trials)

    @property
    def standard_error(self) -> float:
        n_out = self.trials - self.n_in
        p, q = self.count / self.n_in, (self.total - self.count) / n_out
        return math.sqrt(p * (1 - p) / self.n_in + q * (1 - q) / n_out)

    def interval(self, z: float) -> tuple[float, float]:
        """As many successes and failures added to both groups as z asks for, within [−1, 1]."""
        n_out, more = self.trials - self.n_in, max(1.0, z**2 / 4)
        p = (self.count + more) / (self.n_in + 2 * more)
        q = (self.total - self.count + more) / (n_out + 2 * more)
        variance = p * (1 - p) / (self.n_in + 2 * more) + q * (1 - q) / (n_out + 2 * more)
        half = z * math.sqrt(variance)
        return max(-1.0, p - q - half), min(1.0, p - q + half)


def all_pairs(
    subset: Bools,
    correct: Bools,
    train: list[int],
    labels: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> Iterator[Pair]:
    """The pairs of a family of which something can be said."""
    trials = len(subset)
    for i in train:
        n_in = int(subset[:, i].sum())
        for j in range(correct.shape[1]):
            total = int(correct[:, j].sum())
            if labels is not None and labels[0][i] != labels[1][j]:
                continue
            if 0 < n_in < trials and 0 < total < trials:
                count = int((subset[:, i] & correct[:, j]).sum())
                yield Pair(i, j, count, n_in, total, trials)


def exact_rejected(p_values: list[float], fdr: float) -> list[bool]:
    """Benjamini & Hochberg in their own words: the largest k with p_(k) ≤ k/N × FDR."""
    ordered = sorted(p_values)
    passing = [p for k, p in enumerate(ordered, 1) if p * len(ordered) <= k * fdr]
    return [bool(passing) and p <= passing[-1] for p in p_values]
