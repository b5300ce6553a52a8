"""The linear datamodeling score: do summed attributions rank what models on subsets really do?

For a test example z, an attribution τ(i, z) of every training example i predicts of a model trained
on the subset S that its outcome is large where

    g(S, z) = Σ_{i ∈ S} τ(i, z)

is large. Over m models with subsets S_j and outcomes f_j(z), the score is Spearman's correlation

    LDS(z) = ρ( g(S_1, z), …, g(S_m, z); f_1(z), …, f_m(z) )

(Ilyas et al., "Datamodels", ICML 2022; Park et al., "TRAK", ICML 2023). Its mean over test examples
grades the attribution. Models and test examples are both samples, so the interval of the mean
covers both: the influence function of Spearman's correlation says what each model adds to it, and
the scores' own spread what each test example adds. With both in one sum, the noise of a test
example's own score counts twice: the interval is a little wide with few test examples.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

_COLUMNS = 256  # test examples at a time


@dataclass(frozen=True)
class Mean:
    """A mean score with its 95% interval.

    Attributes:
        value: the mean; low, high: its interval, within what a score can be.
        examples: how many test examples it is over.
    """

    value: float
    low: float
    high: float
    examples: int


@dataclass(frozen=True, eq=False)
class DatamodelingScore:
    """The scores of n_test test examples over m models.

    Attributes:
        rho: float64 [n_test], LDS; NaN where the models' outcomes are all equal, 0 where the
            predictions are.
        added: float32 [B, n_test], what each of B groups of models adds to the score, the
            influence function summed over the group; 0 where the score is missing.
        n_models: m.
        bound: the largest score there can be, and the smallest with a minus.
    """

    rho: Floats
    added: NDArray[np.float32]
    n_models: int
    bound: float = 1.0

    def lead_over(self, other: "DatamodelingScore") -> "DatamodelingScore":
        """Return how much higher the scores are than others by the same models.

        The models' and test examples' luck that both share cancels: the interval of the mean lead
        is narrower than those of the two means suggest.
        """
        return DatamodelingScore(
            self.rho - other.rho, self.added - other.added, self.n_models, bound=2.0
        )

    def mean(self, chosen: NDArray[np.bool_] | None = None) -> Mean | None:
        """Average over test examples, or those ``chosen``, bool [n_test]; None without a score."""
        known = ~np.isnan(self.rho) if chosen is None else ~np.isnan(self.rho) & chosen
        n, groups = int(known.sum()), len(self.added)
        if n == 0:
            return None
        value = float(self.rho[known].mean())
        if n < 2 or groups < 2:
            return Mean(value, -self.bound, self.bound, n)
        by_group = self.added[:, known].mean(axis=1, dtype=np.float64)
        of_models = groups / (groups - 1) * float((by_group**2).sum()) / self.n_models**2
        of_examples = float(self.rho[known].var(ddof=1)) / n
        half = stats.t.ppf(0.975, min(groups, n) - 1) * (of_models + of_examples) ** 0.5
        low, high = max(-self.bound, value - half), min(self.bound, value + half)
        return Mean(value, float(low), float(high), n)


def datamodeling_score(
    predicted: NDArray[Any], outcome: NDArray[Any], group: NDArray[np.int64] | None = None
) -> DatamodelingScore:
    """Score the predictions of an attribution for every test example.

    Args:
        predicted: [m, n_test], g(S_j, z).
        outcome: [m, n_test], f_j(z): a margin, or a bit of correctness; ties share their rank.
        group: int64 [m], models with the same number were drawn together (the block of a balanced
            design) and are not independent; by default all are.

    Raises:
        ValueError: the shapes differ, there are fewer than 3 models, or a number is not finite.

    >>> f = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> datamodeling_score(-f, f).rho.tolist()
    [-1.0]
    """
    if predicted.shape != outcome.shape or predicted.ndim != 2 or len(outcome) < 3:
        raise ValueError("predictions and outcomes of at least 3 models have one shape [m, n_test]")
    m, n_test = outcome.shape
    group = np.arange(m) if group is None else np.unique(group, return_inverse=True)[1]
    rho, added = np.full(n_test, np.nan), np.zeros((int(group.max()) + 1, n_test), np.float32)
    for start in range(0, n_test, _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        parts = predicted[:, columns], outcome[:, columns]
        if not all(np.isfinite(part).all() for part in parts):
            raise ValueError("a prediction or an outcome is not finite")
        rho[columns], by_model = _spearman(*parts)
        np.add.at(added[:, columns], group, by_model.astype(np.float32))
    return DatamodelingScore(rho, added, m)


@dataclass(frozen=True, eq=False)
class _Ranked:
    """The columns of an array by rank.

    Attributes:
        order: int [m, c], the rows of each column, ascending.
        first, last: int [m, c], of each row, the first and last place of what equals it.
        centred: float64 [m, c], F(x) − ½ with F the distribution function, halfway through ties.
    """

    order: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    centred: Floats

    @classmethod
    def of(cls, x: NDArray[Any]) -> "_Ranked":
        m = len(x)
        order = np.argsort(x, axis=0, kind="stable")
        ascending = np.take_along_axis(x, order, axis=0)
        is_new = np.ones(x.shape, bool)
        is_new[1:] = ascending[1:] != ascending[:-1]
        place = np.broadcast_to(np.arange(m)[:, None], x.shape)
        first = np.maximum.accumulate(np.where(is_new, place, 0), axis=0)
        is_end = np.ones(x.shape, bool)
        is_end[:-1] = is_new[1:]
        last = np.minimum.accumulate(np.where(is_end, place, m)[::-1], axis=0)[::-1]
        back = np.empty_like(order)
        np.put_along_axis(back, order, place, axis=0)
        first, last = (np.take_along_axis(each, back, axis=0) for each in (first, last))
        return cls(order, first, last, (first + last + 1) / (2 * m) - 0.5)

    def mean_above(self, weight: Floats) -> Floats:
        """Return for each row j the mean over k of weight_k (1[x_j < x_k] + ½ 1[x_j = x_k])."""
        m = len(weight)
        from_here = np.zeros((m + 1, weight.shape[1]))
        from_here[:m] = np.take_along_axis(weight, self.order, axis=0)[::-1].cumsum(axis=0)[::-1]
        above = np.take_along_axis(from_here, self.last + 1, axis=0)
        return (above + np.take_along_axis(from_here, self.first, axis=0)) / (2 * m)


def _spearman(x: NDArray[Any], y: NDArray[Any]) -> tuple[Floats, Floats]:
    """Spearman's correlation of columns, float64 [c], and its influence function, float64 [m, c].

    With a = F(x) − ½ and b = G(y) − ½, ρ = mean(ab) / √(mean(a²) mean(b²)). A further model moves
    each mean by its own product, and by its place in the others' ranks.
    """
    of_x, of_y = _Ranked.of(x), _Ranked.of(y)
    a, b = of_x.centred, of_y.centred
    ab, aa, bb = (a * b).mean(axis=0), (a * a).mean(axis=0), (b * b).mean(axis=0)
    is_ranked = (aa > 0) & (bb > 0)
    scale = np.where(is_ranked, np.sqrt(aa * bb), 1)
    rho = np.where(bb > 0, np.where(is_ranked, ab / scale, 0), np.nan)
    in_ab = a * b + of_x.mean_above(b) + of_y.mean_above(a)
    in_aa = a * a + 2 * of_x.mean_above(a)
    in_bb = b * b + 2 * of_y.mean_above(b)
    in_ab, in_aa, in_bb = (each - each.mean(axis=0) for each in (in_ab, in_aa, in_bb))
    half = np.where(is_ranked, rho, 0) / 2
    moved = in_ab / scale - half * (
        in_aa / np.where(aa > 0, aa, 1) + in_bb / np.where(bb > 0, bb, 1)
    )
    return rho, np.where(is_ranked, moved, 0)


def ceiling(outcome: NDArray[Any], subsets: NDArray[np.int64], again: NDArray[Any]) -> Mean | None:
    """Return the highest mean LDS that an attribution can reach, from models trained again.

    Two models of one subset differ by chance. Let u be the rank of an outcome among the m models.
    No function of the subset correlates with u more than √s with s = Var E[u | S] / Var u, and with
    models trained again on the subsets by other seeds, Cov(u, u′) is Var E[u | S]. The mean of √s
    over test examples comes from the mean of s, which has no bias, and to second order from its
    variance over test examples, less what is noise:

        mean √s ≈ √s̄ − Var s / (8 s̄^{3/2})

    Args:
        outcome: [m, n_test], of the models that judge.
        subsets: int64 [K], the rows of ``outcome`` whose subsets were trained on again.
        again: [K, n_test], the outcomes of the models trained again.

    Returns:
        The ceiling with a 95% interval by the jackknife over subsets; None if every test example
        has the same outcome in all models.
    """
    k = len(subsets)
    if again.shape != (k, outcome.shape[1]) or k < 3:
        raise ValueError("models trained again on at least 3 subsets have the shape [K, n_test]")
    m, shares = len(outcome), []
    for z in range(outcome.shape[1]):
        ascending = np.sort(outcome[:, z])
        if ascending[0] == ascending[-1]:
            continue
        first, second = (
            (np.searchsorted(ascending, x, "left") + np.searchsorted(ascending, x, "right"))
            / (2 * m)
            for x in (outcome[subsets, z], again[:, z])
        )
        shares.append(_covariances(first, second) / (stats.rankdata(ascending) / m).var())
    if not shares:
        return None
    share, without = np.array(shares)[:, 0], np.array(shares)[:, 1:]
    error = _jackknife(without.mean(axis=0)) ** 0.5
    spread = max(0.0, share.var() - _jackknife(without.T).mean())
    half = stats.t.ppf(0.975, k - 1) * error
    value, low, high = (_mean_root(share.mean() + step, spread) for step in (0.0, -half, half))
    return Mean(value, low, high, len(share))


def _mean_root(mean: float, variance: float) -> float:
    """Return the mean root of shares of this mean and variance, to second order."""
    if mean <= 0:
        return 0.0
    root = min(mean, 1.0) ** 0.5
    return float(max(0.0, root - variance / (8 * root**3)))


def _jackknife(without: Floats) -> Floats:
    """Return the variance of an estimate from its values without each of K parts, [K, …]."""
    k = len(without)
    squares = (without - without.mean(axis=0)) ** 2
    return np.asarray((k - 1) / k * squares.sum(axis=0))


def _covariances(x: Floats, y: Floats) -> Floats:
    """Return the covariance of K pairs, and those without each of them, float64 [1 + K]."""
    k, dx, dy = len(x), x - x.mean(), y - y.mean()
    products = dx * dy
    total = products.sum()
    covariances = np.empty(k + 1)
    covariances[0] = total / (k - 1)
    covariances[1:] = (total - products * k / (k - 1)) / (k - 2)
    return covariances
