"""What each training example is worth to how well models do on the whole test set.

Let a_t be the mean outcome of trial t on the test set, its accuracy or its mean margin. The value
of training example i is

    v_i = E[a_t | i in] − E[a_t | i out],

the mean over test examples of its influence. Over subsets that hold each example by itself with
probability ½ it is the Banzhaf value of i (Wang & Jia, "Data Banzhaf", AISTATS 2023, their
maximum-sample-reuse estimator); with another probability the weighted Banzhaf value (Li & Yu 2023).
memtail's subsets have a fixed size m, where one example is in instead of another, so that

    v_i = E[U(R ∪ {i}) − U(R ∪ {j})],  R of m − 1 examples, j another example, both at random:

v_i compares i with the average other example, and the values of all examples sum to 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_AT_ONCE = 8192  # examples unpacked at a time, a multiple of 8
_CONSTANT = 1e-12  # a spread of outcomes that is rounding, in relation to their size


@dataclass(frozen=True, eq=False)
class DataValues:
    """The values of n training examples; NaN where one was never in or never out.

    Attributes:
        value: float64 [n], in the unit of the outcome.
        standard_error: float64 [n].
        ci_low, ci_high: float64 [n], Student's 95% interval.
        q_value: float64 [n], the least false discovery rate at which the value is found to differ
            from 0, over all examples (Benjamini & Hochberg 1995).

    Errors, intervals and q-values are NaN too where the trials do not differ.
    """

    value: Floats
    standard_error: Floats
    ci_low: Floats
    ci_high: Floats
    q_value: Floats

    @property
    def signal(self) -> float:
        """The share of the values' variance over examples that is not their sampling error.

        Var v̂ = Var v + mean se²; NaN where there is no error to compare with.
        """
        known = ~np.isnan(self.standard_error)
        if known.sum() < 2 or not (variance := self.value[known].var(ddof=1)):
            return float("nan")
        noise = (self.standard_error[known] ** 2).mean()
        return float(np.clip(1 - noise / variance, 0, 1))


def data_values(
    subset: NDArray[np.uint8], n: int, outcome: Floats, group: NDArray[np.int64] | None = None
) -> DataValues:
    """Estimate the values by differences of means.

    The trials of one balanced block are not independent: each example has its quota in it, so the
    means of blocks differ less than those of independent trials, and trials within a block differ
    more. What counts is the spread within: with s² the variance of the outcomes around the means of
    their blocks and around v_i,

        se_i² = s² (1 / n_in + 1 / n_out),

    with T − B − 1 degrees of freedom, B the number of blocks; independent trials are one block.
    Given a block's outcomes, an example's trials are a uniformly random choice among the block's,
    so under the null hypothesis this is the t-test of a randomized block design.

    Args:
        subset: uint8 [T, ⌈n/8⌉], which examples each trial trained on (numpy.packbits).
        n: the number of training examples.
        outcome: float64 [T], the mean outcome of each trial on the test set.
        group: int64 [T], ascending, the block of each trial; by default all are independent.
    """
    from scipy import stats  # slow to import

    group = np.zeros(len(outcome), np.int64) if group is None else group
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    sizes = np.diff(starts, append=len(group))
    apart = outcome - np.repeat(np.add.reduceat(outcome, starts) / sizes, sizes)
    both = np.stack([outcome, apart], axis=1)
    value, scatter, n_in = np.empty(n), np.empty(n), np.empty(n)
    for first in range(0, n, _AT_ONCE):
        part = slice(first, min(first + _AT_ONCE, n))
        packed = subset[:, first // 8 : -(-part.stop // 8)]
        inside = np.unpackbits(packed, axis=1, count=part.stop - first).astype(np.float64)
        in_block = np.add.reduceat(inside, starts, axis=0)
        n_in[part] = in_block.sum(axis=0)
        of_in, apart_in = (inside.T @ both).T
        with np.errstate(divide="ignore", invalid="ignore"):
            of_out = (outcome.sum() - of_in) / (len(outcome) - n_in[part])
            difference = of_in / n_in[part] - of_out
        value[part] = np.where(np.isfinite(difference), difference, np.nan)
        squares = (in_block * (1 - in_block / sizes[:, None])).sum(axis=0)
        scatter[part] = value[part] * (value[part] * squares - 2 * apart_in)
    freedom = len(outcome) - len(starts) - 1
    if freedom < 1 or np.abs(apart).max() <= _CONSTANT * np.abs(outcome).max():
        missing = np.full(n, np.nan)
        return DataValues(value, *[missing] * 4)
    variance = np.maximum(0, (apart @ apart + scatter) / freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance * (1 / n_in + 1 / (len(outcome) - n_in)))
        p_value = 2 * stats.t.sf(np.abs(value) / error, freedom)
    error[np.isnan(value)] = np.nan
    half = stats.t.ppf(0.975, freedom) * error
    q_value, known = np.full(n, np.nan), ~np.isnan(p_value)
    q_value[known] = stats.false_discovery_control(p_value[known])
    return DataValues(value, error, value - half, value + half, q_value)
