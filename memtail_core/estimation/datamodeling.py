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

_AT_ONCE = 128  # test examples: few enough that what is computed of them stays in the cache


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
        known = self.known if chosen is None else self.known & chosen
        n = int(known.sum())
        if n == 0:
            return None
        value = float(self.rho[known].mean())
        if n < 2 or len(self.added) < 2:
            return Mean(value, -self.bound, self.bound, n)
        of_examples = float(self.rho[known].var(ddof=1)) / n
        error = (self.variance_of_models(known) + of_examples) ** 0.5
        half = stats.t.ppf(0.975, min(len(self.added), n) - 1) * error
        low, high = max(-self.bound, value - half), min(self.bound, value + half)
        return Mean(value, float(low), float(high), n)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which test examples have a score, bool [n_test]."""
        return ~np.isnan(self.rho)

    def variance_of_models(self, chosen: NDArray[np.bool_]) -> float:
        """Return the variance of the mean over the ``chosen``, for these test examples.

        Needs two groups of models.
        """
        groups = len(self.added)
        by_group = self.added[:, chosen].mean(axis=1, dtype=np.float64)
        return groups / (groups - 1) * float((by_group**2).sum()) / self.n_models**2


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
    group = np.arange(m) if group is None else group
    order = np.argsort(group, kind="stable")
    first = np.unique(group[order], return_index=True)[1]
    rho, added = np.full(n_test, np.nan), np.zeros((len(first), n_test), np.float32)
    for start in range(0, n_test, _AT_ONCE):
        columns = slice(start, start + _AT_ONCE)
        x, y = (np.ascontiguousarray(each[:, columns].T) for each in (predicted, outcome))
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError("a prediction or an outcome is not finite")
        rho[columns], by_model = _spearman(x, y)
        added[:, columns] = np.add.reduceat(by_model[:, order], first, axis=1).T
    return DatamodelingScore(rho, added, m)


class _Ranked:
    """The rows of an array [c, m] by rank.

    Attributes:
        centred: float64 [c, m], F(x) − ½ with F the distribution function, halfway through ties.
    """

    def __init__(self, x: NDArray[Any]) -> None:
        rows, m = x.shape
        self._order = np.argsort(x, axis=1) + np.arange(rows)[:, None] * m  # into the flat array
        ascending = x.ravel()[self._order]
        is_new = np.ones(x.shape, bool)
        is_new[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
        is_end = np.ones(x.shape, bool)
        is_end[:, :-1] = is_new[:, 1:]
        place = np.arange(m)
        first = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
        last = np.minimum.accumulate(np.where(is_end, place, m)[:, ::-1], axis=1)[:, ::-1]
        self._first, self._last = np.empty_like(self._order), np.empty_like(self._order)
        self._first.ravel()[self._order] = first  # the places of what equals each entry
        self._last.ravel()[self._order] = last
        self.centred: Floats = (self._first + self._last + 1) / (2 * m) - 0.5

    def mean_above(self, weight: Floats) -> Floats:
        """Return for each entry j of a row the mean over k of w_k (1[x_j < x_k] + ½ 1[x_j = x_k]).

        Args:
            weight: w, [c, m].
        """
        rows, m = weight.shape
        from_here = np.zeros((rows, m + 1))
        from_here[:, :m] = weight.ravel()[self._order][:, ::-1].cumsum(axis=1)[:, ::-1]
        start, flat = np.arange(rows)[:, None] * (m + 1), from_here.ravel()
        return np.asarray((flat[start + self._last + 1] + flat[start + self._first]) / (2 * m))


def _spearman(x: NDArray[Any], y: NDArray[Any]) -> tuple[Floats, Floats]:
    """Spearman's correlation of rows, float64 [c], and its influence function, float64 [c, m].

    With a = F(x) − ½ and b = G(y) − ½, ρ = mean(ab) / √(mean(a²) mean(b²)). A further model moves
    each mean by its own product, and by its place in the others' ranks.
    """
    of_x, of_y = _Ranked(x), _Ranked(y)
    a, b = of_x.centred, of_y.centred
    ab, aa, bb = (each.mean(axis=1, keepdims=True) for each in (a * b, a * a, b * b))
    is_ranked = (aa > 0) & (bb > 0)
    scale = np.where(is_ranked, np.sqrt(aa * bb), 1)
    rho = np.where(bb > 0, np.where(is_ranked, ab / scale, 0), np.nan)
    in_ab = a * b + of_x.mean_above(b) + of_y.mean_above(a)
    in_aa = a * a + 2 * of_x.mean_above(a)
    in_bb = b * b + 2 * of_y.mean_above(b)
    in_ab, in_aa, in_bb = (e - e.mean(axis=1, keepdims=True) for e in (in_ab, in_aa, in_bb))
    half = np.where(is_ranked, rho, 0) / 2
    moved = in_ab / scale - half * (
        in_aa / np.where(aa > 0, aa, 1) + in_bb / np.where(bb > 0, bb, 1)
    )
    return rho[:, 0], np.where(is_ranked, moved, 0)
