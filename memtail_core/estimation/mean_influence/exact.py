"""The exact means, variances and covariances of single pairs, from the outcomes as they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled
from memtail_core.estimation.mean_sums import Side

_LANES = 16
"""Sums that grow side by side: the same on every machine, and many at a time on most."""

_SUMS = 9
_SAME = 1e-10  # of the mean square: a variance below it is rounding

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Narrow = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Moments:
    """Of P pairs, over the trials with the training example, and over those without.

    Attributes:
        n: int64 [2, P], how many trials.
        mean, variance: float64 [2, P], of the outcome less its mean over all trials.
        covariance: float64 [2, P], of the outcome with the training example's own; 0 if that is
            unknown.
        level_sum: int64 [P], the sum of the rounded levels of the trials with it.
    """

    n: Indices
    mean: Floats
    variance: Floats
    covariance: Floats
    level_sum: Indices

    @classmethod
    def of_sizes(cls, n_in: Indices, trials: int) -> "Moments":
        """Return those of pairs of which nothing is known but int64 [P], the trials with each."""
        unknown = np.full((2, len(n_in)), np.nan)
        n = np.stack([n_in, trials - n_in])
        return cls(n, unknown, unknown, unknown, np.zeros(len(n_in), np.int64))

    @property
    def influence(self) -> Floats:
        """The difference of the means, float64 [P]."""
        return np.asarray(self.mean[0] - self.mean[1])

    def about(self, mean: Floats) -> tuple[Side, Side]:
        """Return the trials with the training example, and those without, with the mean of all."""
        of_in, of_out = (Side(self.n[k], mean + self.mean[k], self.variance[k]) for k in (0, 1))
        return of_in, of_out

    def where(self, chosen: NDArray[np.generic]) -> "Moments":
        """Return those of some of the pairs."""
        return Moments(
            self.n[:, chosen],
            self.mean[:, chosen],
            self.variance[:, chosen],
            self.covariance[:, chosen],
            self.level_sum[chosen],
        )

    def leeway(self, above: Floats) -> Floats:
        """Return by how much the influence could be less with the training example still chosen.

            max(mem_i − θ, 0) / β,    β = cov(mem_i, infl_ij) / var(infl_ij)

        float64 [P], infinite where β ≤ 0; see
        :mod:`memtail_core.estimation.influence.chosen_examples`. β is the larger one of two
        estimates: with the moments of each side by themselves, and with those of both pooled, as
        they are without influence. That of few trials alone would often be too small.

        Args:
            above: float64 [P], mem_i − θ of the training example of each pair.
        """
        found = np.full(len(above), np.inf)
        for weight in (1 / self.n, self.n - 1):
            covariance = (self.covariance * weight).sum(axis=0)
            variance = (self.variance * weight).sum(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                left = np.maximum(above, 0.0) * variance / covariance
            found = np.where(covariance > 0, np.minimum(found, left), found)
        return found


def moments(
    inside: NDArray[np.int8],
    outcome: Narrow,
    own: Narrow | None,
    levels: NDArray[np.int8],
    pairs: tuple[Indices, Indices],
    trials: int,
) -> Moments:
    """Return the moments of P pairs of rows and columns.

    Args:
        inside: int8 [R, W'], 0 or 1 for each trial.
        outcome: float32 [C, W'], about their mean; 0 where there is no trial.
        own: float32 [R, W'], likewise.
        levels: int8 [C, W'].
        pairs: int64 [P] each, row and column.
        trials: T.
    """
    sums = np.empty((_SUMS, len(pairs[0])))
    _sums(
        inside, outcome, outcome[:1] if own is None else own, own is not None, levels, *pairs, sums
    )
    n_in, v_in, v, vv_in, vv, o_in, vo_in, vo, level = sums
    n = np.stack([n_in, trials - n_in])
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.stack([v_in, v - v_in]) / n
        variance = np.maximum(np.stack([vv_in, vv - vv_in]) / n - mean**2, 0)
        variance[variance < _SAME * (vv / trials)] = 0
        # own outcomes sum to 0 over all trials
        covariance = np.stack([vo_in, vo - vo_in]) / n - mean * np.stack([o_in, -o_in]) / n
        unbiased = n / (n - 1)
        return Moments(
            n.astype(np.int64),
            mean,
            variance * unbiased,
            covariance * unbiased,
            level.astype(np.int64),
        )


@compiled
def _sums(
    inside: NDArray[np.int8],
    outcome: Narrow,
    own: Narrow,
    is_owned: bool,
    levels: NDArray[np.int8],
    row: Indices,
    column: Indices,
    sums: Floats,
) -> None:
    """Fill sums [9, P]; products of outcomes with the own ones are 0 where there are none."""
    lanes = np.empty((_SUMS, _LANES))
    for p in range(len(row)):
        member, value, level = inside[row[p]], outcome[column[p]], levels[column[p]]
        mine = own[row[p]] if is_owned else value
        lanes[:] = 0
        n, v_in, v_all, vv_in, vv_all = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]
        o_in, vo_in, vo_all, level_in = lanes[5], lanes[6], lanes[7], lanes[8]
        for start in range(0, len(value), _LANES):
            for k in range(_LANES):
                m = np.float64(member[start + k])
                v = np.float64(value[start + k])
                n[k] += m
                v_in[k] += m * v
                v_all[k] += v
                vv_in[k] += m * v * v
                vv_all[k] += v * v
                level_in[k] += m * np.float64(level[start + k])
            if is_owned:
                for k in range(_LANES):
                    m = np.float64(member[start + k])
                    vo = np.float64(value[start + k]) * np.float64(mine[start + k])
                    o_in[k] += m * np.float64(mine[start + k])
                    vo_in[k] += m * vo
                    vo_all[k] += vo
        for s in range(_SUMS):
            sums[s, p] = lanes[s].sum()
