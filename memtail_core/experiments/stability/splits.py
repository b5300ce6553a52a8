"""Disjoint halves of a study's trials compared, at several sizes, many random splits of each.

Two halves of t trials agree as well as two studies of t trials would. Sizes double up to half of
the trials. A law fitted to what was measured says how well more trials would agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.halves import PairComparison, Sample, halves, sizes, whole_blocks
from memtail_core.estimation.agreement import MOST_PAIRS, Agreement, Overlap, agreement
from memtail_core.estimation.growth import Curve, power_law, reliability, shared
from memtail_core.estimation.influence import PairCounter, PairsRule
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SplitAgreement:
    """Agreement of halves of S sizes, R splits each.

    All splits are of the same trials, so their spread shows how much the split matters and is not a
    standard error.

    Attributes:
        sizes: int64 [S], trials in each half, ascending.
        thresholds, influence_thresholds: float64 [K], [L].
        jaccard: float64 [S, R, K], of memorized sets; NaN where both are empty.
        difference: float64 [S, R, K], mean |a − b| of the examples that either half selects.
        n_memorized: float64 [S, R, K], how many examples a half selects, mean of the two halves.
        overall: float64 [S, R], mean |a − b| of all; pearson, spearman, top: float64 [S, R], as in
            :class:`~memtail_core.estimation.agreement.Agreement`.
        pairs: float64 [S, R, L], Jaccard of high-influence pairs; n_pairs: float64 [S, R, L], how
            many a half has, mean of the two. NaN where either has too many to list.
        n_missing: int64 [S, R], examples that one of the halves has no score for.
        n_left_out: trials whose block is not complete.
    """

    sizes: Indices
    thresholds: Floats
    influence_thresholds: Floats
    jaccard: Floats
    difference: Floats
    n_memorized: Floats
    overall: Floats
    pearson: Floats
    spearman: Floats
    top: Floats
    pairs: Floats
    n_pairs: Floats
    n_missing: Indices
    n_left_out: int

    @property
    def empty_thresholds(self) -> Floats:
        """Thresholds that no half's memorization reaches, float64."""
        is_empty: NDArray[np.bool_] = (self.n_memorized == 0).all(axis=(0, 1))
        return self.thresholds[is_empty]

    @property
    def empty_influence_thresholds(self) -> Floats:
        """Thresholds that no pair of any half reaches, where pairs could be listed, float64."""
        none, unknown = self.n_pairs == 0, np.isnan(self.n_pairs)
        is_empty: NDArray[np.bool_] = (none | unknown).all(axis=(0, 1)) & none.any(axis=(0, 1))
        return self.influence_thresholds[is_empty]

    @cached_property
    def pearson_curve(self) -> Curve:
        """How the correlation of scores grows: the reliability."""
        return Curve(self.sizes, mean(self.pearson), reliability(self.sizes, self.pearson))

    @cached_property
    def spearman_curve(self) -> Curve:
        """How the correlation of ranks grows.

        No law is known for it: where most examples have the same memorization, their ranks are
        noise with any number of trials. So this is a power law of the largest sizes.
        """
        return self._shortfall(self.spearman, np.full_like(self.spearman, np.inf))

    @cached_property
    def overall_curve(self) -> Curve:
        """How the mean absolute difference of scores shrinks."""
        values = mean(self.overall)
        return Curve(self.sizes, values, power_law(self.sizes, values, np.inf), True)

    @cached_property
    def jaccard_curves(self) -> tuple[Curve, ...]:
        """How the agreement of memorized sets grows, one curve for each threshold."""
        figures = (np.moveaxis(each, -1, 0) for each in (self.jaccard, self.n_memorized))
        return tuple(self._shortfall(*each) for each in zip(*figures, strict=True))

    @cached_property
    def pairs_curves(self) -> tuple[Curve, ...]:
        """How the agreement of high-influence pairs grows, one curve for each threshold."""
        figures = (np.moveaxis(each, -1, 0) for each in (self.pairs, self.n_pairs))
        return tuple(self._shortfall(*each) for each in zip(*figures, strict=True))

    def _shortfall(self, values: Floats, n_selected: Floats) -> Curve:
        return shared(self.sizes, mean(values), mean(n_selected))


def split_agreement(
    trials: Trials,
    block: int,
    y_train: Indices,
    y_test: Indices,
    rule: PairsRule,
    *,
    thresholds: Sequence[float],
    influence_thresholds: Sequence[float],
    measure: Measure = CORRECTNESS,
    splits: int = 10,
    seed: int = 0,
    counter: PairCounter,
    most: int = MOST_PAIRS,
    progress: ProgressCallback | None = None,
) -> SplitAgreement:
    """Compare disjoint halves of a study's trials (Feldman & Zhang 2020, section 3.2).

    Args:
        trials: of the study; indices may have gaps.
        block: trials in a block: see :func:`halves`.
        y_train, y_test: int64 [n], [n_test], labels.
        rule: whose theta_mem and same_class say which pairs are looked at, by each half's own
            scores.
        thresholds: of memorization, K of them.
        influence_thresholds: of influence, above 0, L of them.
        measure: what scores and influence are differences of.
        splits: random splits of each size.
        seed: of the splits.
        engine: what counts pairs.
        most: how many pairs of a half may be listed.
        progress: called with comparisons done, of ``splits`` for each of :func:`sizes`.

    Raises:
        EstimationError: there are too few trials, or they lack the values of the measure.
    """
    grid = sizes(trials.trials, block)
    look = PairComparison(y_train, y_test, rule, influence_thresholds, counter, most)
    compared: list[tuple[Agreement, Overlap]] = []
    for size in grid.tolist():
        for split in range(splits):
            rng = np.random.default_rng([seed, size, split])
            drawn = halves(trials.trials, block, rng, size)
            sides = [Sample(trials, at, measure) for at in drawn]
            scores = agreement(sides[0].memorization, sides[1].memorization, thresholds)
            compared.append((scores, look.overlap(*look.pairs(sides))))
            if progress is not None:
                progress(1)

    def stacked(of: Callable[[Agreement, Overlap], Floats | float]) -> Floats:
        each = np.array([of(scores, pairs) for scores, pairs in compared], np.float64)
        return each.reshape(len(grid), splits, *each.shape[1:])

    return SplitAgreement(
        sizes=grid,
        thresholds=np.array(thresholds, np.float64),
        influence_thresholds=np.array(influence_thresholds, np.float64),
        jaccard=stacked(lambda scores, _: scores.overlap.jaccard),
        difference=stacked(lambda scores, _: scores.difference),
        n_memorized=stacked(lambda s, _: (s.overlap.n_one + s.overlap.n_other) / 2),
        overall=stacked(lambda scores, _: scores.overall),
        pearson=stacked(lambda scores, _: scores.pearson),
        spearman=stacked(lambda scores, _: scores.spearman),
        top=stacked(lambda scores, _: scores.top),
        pairs=stacked(lambda _, pairs: pairs.jaccard),
        n_pairs=stacked(lambda _, pairs: (pairs.n_one + pairs.n_other) / 2),
        n_missing=stacked(lambda scores, _: scores.n_missing).astype(np.int64),
        n_left_out=len(trials) - whole_blocks(trials.trials, block).size,
    )


def mean(values: Floats) -> Floats:
    """Return the mean over splits, float64 [S, …] of [S, R, …]; NaN where no split has a value."""
    known = ~np.isnan(values)
    n = known.sum(axis=1)
    sums = np.where(known, values, 0).sum(axis=1)
    return _divided(sums, n)


def spread(values: Floats) -> Floats:
    """Return the standard deviation over splits, float64 [S, …]; NaN with fewer than two values."""
    n = (~np.isnan(values)).sum(axis=1)
    squares = (values - np.expand_dims(mean(values), 1)) ** 2
    sums = np.nansum(squares, axis=1)
    return np.sqrt(_divided(sums, np.maximum(n - 1, 0)))


def _divided(sums: Floats, n: Indices) -> Floats:
    quotient: Floats = np.divide(sums, n, out=np.full(sums.shape, np.nan), where=n > 0)
    return quotient
