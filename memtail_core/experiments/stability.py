"""Would another study say the same? Two disjoint halves of the trials, and how agreement grows.

What halves of t trials each agree on is what two studies of t trials each would. Sizes double up to
half of the trials; beyond, a law fitted to what was measured says what more trials would give.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from memtail_core import estimation
from memtail_core.errors import EstimationError
from memtail_core.estimation.agreement import (
    MOST_PAIRS,
    Agreement,
    HighPairs,
    Overlap,
    agreement,
    high_pairs,
    pairs_overlap,
)
from memtail_core.estimation.influence import Engine, Evidence, PairsRule
from memtail_core.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Progress = Callable[[int], None]
"""Told how many comparisons of two halves were done since it was last told."""

_FEWEST_BLOCKS, _FEWEST_TRIALS = 2, 20  # of a half
_FITTED = 4  # sizes, the largest: a law that holds in the limit holds worst at the small ones
_LEAST_FITTED = 0.3  # agreement; where most of what is selected is noise, there is no law yet
_B, _B_SPREAD = 0.5, 0.1  # of the exponent, before anything is measured
_FEWEST_FITTED = 3  # a line through two points fits whatever they are


def halves(
    trials: Indices, block: int, rng: np.random.Generator, size: int | None = None
) -> tuple[Indices, Indices]:
    """Draw two disjoint sets of whole blocks of trials, as positions in ``trials``, ascending.

    Within a block of the balanced design an example's inclusions depend on each other; between
    blocks nothing does. Blocks of which a trial is missing are left out.

    Args:
        trials: int64 [T], ascending indices of the trials, as :attr:`Trials.trials`.
        block: trials in a block: ``plans.block_size(ratio)`` of the balanced design, 1 of the
            independent one.
        rng: draws.
        size: trials in each, a multiple of ``block``; None: as many as there are.
    """
    blocks = whole_blocks(trials, block)
    n = len(blocks) // 2 if size is None else size // block
    order = rng.permutation(len(blocks))
    return np.sort(blocks[order[:n]].ravel()), np.sort(blocks[order[n : 2 * n]].ravel())


def whole_blocks(trials: Indices, block: int) -> Indices:
    """Return the positions of the trials of complete blocks, int64 [blocks, block]; see halves."""
    numbers, counts = np.unique(trials // block, return_counts=True)
    whole = np.isin(trials // block, numbers[counts == block])
    return np.flatnonzero(whole).reshape(-1, block)


def sizes(trials: Indices, block: int) -> Indices:
    """Return how many trials halves are compared at, int64 [S] ascending, each twice the last.

    The last is half of the whole blocks, the first at least 2 blocks and 20 trials.

    Raises:
        EstimationError: there are fewer trials than two such halves take.
    """
    n_blocks = len(whole_blocks(trials, block))
    fewest = max(_FEWEST_BLOCKS, ceil(_FEWEST_TRIALS / block))
    if n_blocks < 2 * fewest:
        of = f"complete blocks of {block} trials" if block > 1 else "trials"
        raise EstimationError(
            f"two halves to compare take {2 * fewest} {of}, and there are {n_blocks}: train at "
            f"least {2 * fewest * block} trials, with memtail run --trials"
        )
    found = [n_blocks // 2]
    while found[-1] // 2 >= fewest:
        found.append(found[-1] // 2)
    return np.array(found[::-1], np.int64) * block


@dataclass(frozen=True, eq=False)
class Half:
    """Some trials of a study, as a study of its own.

    Attributes:
        study: its trials.
        at: int64 [t], the positions of those that this half has.
    """

    study: Trials
    at: Indices

    @cached_property
    def memorization(self) -> Floats:
        """Of every training example, float64 [n]; NaN where missing."""
        subset, correct = self.study.subset[self.at], self.study.train_correct[self.at]
        return estimation.memorization(subset, correct, self.study.n).memorization

    @cached_property
    def evidence(self) -> Evidence:
        """What influence is estimated from."""
        subset, correct = self.study.subset[self.at], self.study.test_correct[self.at]
        return Evidence.of(subset, correct, self.study.n, self.study.n_test)


@dataclass(frozen=True)
class Look:
    """Which examples and pairs of a half count, and how pairs are found.

    Attributes:
        y_train, y_test: int64 [n], [n_test].
        rule: which training examples pairs are looked for at: those that this half memorizes.
        influence_thresholds: from which influence on.
        engine: what counts.
        most: how many pairs of a half may be listed.
    """

    y_train: Indices
    y_test: Indices
    rule: PairsRule
    influence_thresholds: Sequence[float]
    engine: Engine
    most: int = MOST_PAIRS

    def pairs(self, sides: Sequence[Half]) -> list[HighPairs]:
        """Find each side's pairs, of the training examples that all of them have a score for."""
        missing = np.isnan([side.memorization for side in sides]).any(axis=0)
        found = []
        for side in sides:
            memorization = np.where(missing, np.nan, side.memorization)
            family = self.rule.family(memorization, self.y_train, self.y_test)
            found.append(
                high_pairs(
                    side.evidence,
                    family,
                    self.influence_thresholds,
                    engine=self.engine,
                    most=self.most,
                )
            )
        return found

    def overlap(self, one: HighPairs, other: HighPairs) -> Overlap:
        """Compare two sides' pairs at every threshold."""
        return pairs_overlap(one, other, self.influence_thresholds)


@dataclass(frozen=True)
class Reliability:
    """r(t) = t / (t + t₀): how scores of t trials correlate with those of t others.

    A score is its limit plus noise of a variance ∝ 1/t, independent of it on the other side; so the
    correlation is V / (V + σ²/t), with t₀ = σ²/V (Spearman 1910, Brown 1910).
    """

    t0: float

    def at(self, t: float) -> float:
        """Return r(t)."""
        return t / (t + self.t0)

    def trials(self, value: float) -> float | None:
        """Return the t with r(t) = ``value``; None: never."""
        return self.t0 * value / (1 - value) if 0 < value < 1 else None


@dataclass(frozen=True)
class PowerLaw:
    """s(t) = a t^(−b): how what is missing to agreement shrinks.

    Of sets cut at a threshold θ: the noise of a score has a standard deviation σ/√t, so examples
    within about that of θ are selected on one side and not on the other. With f the density of
    the scores at θ and P the share above it,

        |A Δ B| / n ≈ f(θ) E|ε₁ − ε₂| = 2 f(θ) σ / √(π t)        1 − J ≈ 2 f(θ) σ / (P √(π t))

    hence b = ½ where many examples lie on both sides of θ. It is fitted, for scores heap: b is
    larger where few lie at θ, and smaller where θ is near where they end, 0 or 1. But of few
    examples the fit would follow their noise, so b is drawn to ½ ± 0.1 as far as they leave it
    open.
    """

    a: float
    b: float

    def at(self, t: float) -> float:
        """Return s(t)."""
        return float(self.a * t**-self.b)

    def trials(self, value: float) -> float | None:
        """Return the t with s(t) = ``value``; None: never."""
        return float((self.a / value) ** (1 / self.b)) if value > 0 and self.b > 0 else None


@dataclass(frozen=True)
class Needed:
    """How many trials a whole study takes.

    Attributes:
        trials: rounded up.
        is_measured: whether halves of so many were compared; else a law says it.
    """

    trials: int
    is_measured: bool


@dataclass(frozen=True, eq=False)
class Curve:
    """How one figure of agreement changes with the trials of each side.

    Attributes:
        sizes: int64 [S], trials of each side; values: float64 [S], mean over the splits; NaN where
            nothing was selected or too much.
        law: what it follows beyond; None where too few sizes have a value, or it does not grow.
        is_difference: whether less is better: a mean absolute difference, not an agreement.
    """

    sizes: Indices
    values: Floats
    law: Reliability | PowerLaw | None
    is_difference: bool = False

    def expected(self, t: float) -> float | None:
        """Return what two studies of t trials each are expected to give; None if none can tell."""
        if self.law is None:
            return None
        if isinstance(self.law, PowerLaw) and not self.is_difference:
            return 1 - self.law.at(t)
        return self.law.at(t)

    def needed(self, value: float) -> Needed | None:
        """Return of how many trials two whole studies must be to agree that well.

        Between sizes that were measured it is interpolated, over log t, from where on all suffice;
        the smallest of them is returned where even that does. Beyond the largest the law says it.
        None: the law never gets there, or there is none.
        """
        sign = -1 if self.is_difference else 1
        known = np.flatnonzero(~np.isnan(self.values))
        too_few = np.flatnonzero(sign * self.values[known] < sign * value)
        first = int(too_few[-1]) + 1 if len(too_few) else 0
        if first < len(known):
            return Needed(self._interpolated(value, known[max(first - 1, 0) : first + 1]), True)
        if self.law is None:
            return None
        is_shortfall = isinstance(self.law, PowerLaw) and not self.is_difference
        found = self.law.trials(1 - value if is_shortfall else value)
        if found is None or not found < 2**53:
            return None
        return Needed(max(ceil(found), int(self.sizes[-1]) + 1), False)

    def _interpolated(self, value: float, around: Indices) -> int:
        if len(around) == 1:  # the smallest of all
            return int(self.sizes[around[0]])
        logs, values = np.log(self.sizes[around]), self.values[around]
        share = (value - values[0]) / (values[1] - values[0])
        return ceil(float(np.exp(logs[0] + share * (logs[1] - logs[0]))) - 1e-9)


@dataclass(frozen=True, eq=False)
class Stability:
    """Agreement of halves of S sizes, R splits each.

    Splits are of the same trials, those of the largest halves into the same two more or less: their
    spread says how far the split matters and is no standard error.

    Attributes:
        sizes: int64 [S], trials in each half, ascending.
        thresholds, influence_thresholds: float64 [K], [L].
        jaccard: float64 [S, R, K], of memorized sets; NaN where both are empty.
        difference: float64 [S, R, K], mean |a − b| of the examples that either half selects.
        n_memorized: float64 [S, R, K], how many a half selects, mean of the two.
        overall: float64 [S, R], mean |a − b| of all; pearson, spearman, top: float64 [S, R], as in
            :class:`~memtail_core.estimation.agreement.Agreement`.
        pairs: float64 [S, R, L], Jaccard of high-influence pairs; n_pairs: float64 [S, R, L], how
            many a half finds, mean of the two. NaN where either finds too many to list.
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
        return Curve(self.sizes, mean(self.pearson), _reliability(self.sizes, self.pearson))

    @cached_property
    def spearman_curve(self) -> Curve:
        """How the correlation of ranks grows.

        No law is known for it: where most examples have one and the same memorization, their ranks
        are noise however many trials there are. So it is a power law of the largest sizes.
        """
        return self._shortfall(self.spearman, np.full_like(self.spearman, np.inf))

    @cached_property
    def overall_curve(self) -> Curve:
        """How the mean absolute difference of scores shrinks."""
        values = mean(self.overall)
        return Curve(self.sizes, values, _power_law(self.sizes, values, np.inf), True)

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
        """Of sets of m each, 2 m (1 − J) / (1 + J) are in one and not in the other."""
        means = mean(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            missing = 1 - np.where(means > _LEAST_FITTED, means, np.nan)
            counts = 2 * mean(n_selected) * missing / (2 - missing)
            law = _power_law(self.sizes, missing, counts)
        return Curve(self.sizes, means, law)


def stability(
    trials: Trials,
    block: int,
    y_train: Indices,
    y_test: Indices,
    rule: PairsRule,
    *,
    thresholds: Sequence[float],
    influence_thresholds: Sequence[float],
    splits: int = 10,
    seed: int = 0,
    engine: Engine,
    most: int = MOST_PAIRS,
    progress: Progress | None = None,
) -> Stability:
    """Compare disjoint halves of a study's trials (Feldman & Zhang 2020, section 3.2).

    Args:
        trials: of the study; indices may have gaps.
        block: trials in a block: see :func:`halves`.
        y_train, y_test: int64 [n], [n_test], labels.
        rule: whose theta_mem and same_class say which pairs are looked at, by each half's own
            scores.
        thresholds: of memorization, K of them.
        influence_thresholds: of influence, above 0, L of them.
        splits: random splits of each size.
        seed: of the splits.
        engine: what counts pairs.
        most: how many pairs of a half may be listed.
        progress: told of comparisons done, of ``splits`` for each of :func:`sizes`.

    Raises:
        EstimationError: there are too few trials.
    """
    grid = sizes(trials.trials, block)
    look = Look(y_train, y_test, rule, influence_thresholds, engine, most)
    found: list[tuple[Agreement, Overlap]] = []
    for size in grid.tolist():
        for split in range(splits):
            rng = np.random.default_rng([seed, size, split])
            sides = [Half(trials, at) for at in halves(trials.trials, block, rng, size)]
            scores = agreement(sides[0].memorization, sides[1].memorization, thresholds)
            found.append((scores, look.overlap(*look.pairs(sides))))
            if progress is not None:
                progress(1)

    def stacked(of: Callable[[Agreement, Overlap], Floats | float]) -> Floats:
        each = np.array([of(scores, pairs) for scores, pairs in found], np.float64)
        return each.reshape(len(grid), splits, *each.shape[1:])

    return Stability(
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
    found: Floats = np.divide(sums, n, out=np.full(sums.shape, np.nan), where=n > 0)
    return found


def _reliability(sizes: Indices, values: Floats) -> Reliability | None:
    """Least squares over all splits, in log t₀: near the best of a grid, refined."""
    t = np.broadcast_to(sizes[:, None], values.shape)[~np.isnan(values)]
    r = values[~np.isnan(values)]
    if not len(r) or r.max() <= 0:
        return None

    def loss(log_t0: float) -> float:
        return float(((r - t / (t + np.exp(log_t0))) ** 2).sum())

    grid = np.linspace(np.log(1e-6 * t.min()), np.log(1e6 * t.max()), 200)
    best = min(grid, key=loss)
    step = grid[1] - grid[0]
    return Reliability(float(np.exp(minimize_scalar(loss, bounds=(best - step, best + step)).x)))


def _power_law(sizes: Indices, values: Floats, counts: Floats | float) -> PowerLaw | None:
    """Weighted least squares of logs over the largest sizes with a value above 0; see the class.

    Args:
        sizes: int64 [S]; values: float64 [S], s(t).
        counts: float64 [S], how many examples make up s(t): the log of a count c has a variance of
            about 1 / c. To it comes 1 / t for what the law leaves out where trials are few.
    """
    known = np.flatnonzero(np.nan_to_num(values) > 0)[-_FITTED:]
    if len(known) < _FEWEST_FITTED:
        return None
    t, logs = sizes[known].astype(np.float64), np.log(values[known])
    weights = 1 / (1 / np.broadcast_to(counts, values.shape)[known] + 1 / t)
    x, y = (each - np.average(each, weights=weights) for each in (-np.log(t), logs))
    freedom = _B_SPREAD**-2
    b = float(((weights * x * y).sum() + freedom * _B) / ((weights * x * x).sum() + freedom))
    log_a = float(np.average(logs + b * np.log(t), weights=weights))
    return PowerLaw(float(np.exp(log_a)), b) if b > 0 else None
