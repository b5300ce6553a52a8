"""How much two sets of estimates agree: examples by their scores, pairs by their influence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.count_thresholds import InfluenceThreshold
from memtail_core.estimation.influence.counter import PairCounter
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.pair_statistics import by_chance
from memtail_core.estimation.influence.scan import CountedPairs, scan
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.mean_influence import MeanEvidence, pairs
from memtail_core.estimation.mean_influence import scan as means

MOST_PAIRS = 5_000_000
_TOP = 0.05

Floats = NDArray[np.float64]
_Part = tuple[NDArray[np.int64], Floats]  # keys and influence, of HighPairs


@dataclass(frozen=True, eq=False)
class Overlap:
    """What two selections have in common, at each of K thresholds.

    Attributes:
        thresholds: float64 [K].
        n_one, n_other, n_both: float64 [K], whole numbers: how many the one selects, the other, and
            both; NaN where they were too many to count.
    """

    thresholds: Floats
    n_one: Floats
    n_other: Floats
    n_both: Floats

    @property
    def n_either(self) -> Floats:
        """How many at least one of them selects, float64 [K]."""
        return self.n_one + self.n_other - self.n_both

    @property
    def jaccard(self) -> Floats:
        """|A ∩ B| / |A ∪ B|, float64 [K]; NaN where both are empty (Jaccard 1912)."""
        return _ratio(self.n_both, self.n_either)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How much two sets of scores of the same examples agree; those missing in either left out.

    Attributes:
        overlap: of the examples whose score is at least each threshold.
        difference: float64 [K], mean |a − b| of the examples that either selects (Feldman & Zhang
            2020, section 3.4); NaN where neither selects any.
        overall: mean |a − b| of all.
        pearson, spearman: correlations, the latter with ties averaged; NaN where either set is
            constant or fewer than two are compared.
        top: which share of the highest 5% the two have in common; where scores tie for the last
            places, the expectation over ties broken at random on each side.
        n_compared, n_missing: how many examples have both scores, and how many have not.
    """

    overlap: Overlap
    difference: Floats
    overall: float
    pearson: float
    spearman: float
    top: float
    n_compared: int
    n_missing: int


def agreement(one: Floats, other: Floats, thresholds: Sequence[float]) -> Agreement:
    """Compare scores of the same examples, float64 [n] each, NaN where missing."""
    from scipy.stats import rankdata  # half a second, for those who compare

    if one.shape != other.shape:
        raise ValueError(f"{len(one)} scores cannot be compared with {len(other)}")
    is_there = ~(np.isnan(one) | np.isnan(other))
    a, b = one[is_there], other[is_there]
    apart, higher = np.abs(a - b), np.maximum(a, b)
    either = [reaches(higher, threshold) for threshold in thresholds]
    return Agreement(
        overlap=_overlap(a, b, np.minimum(a, b), thresholds),
        difference=np.array([_mean(apart[chosen]) for chosen in either], np.float64),
        overall=_mean(apart),
        pearson=_pearson(a, b),
        spearman=_pearson(rankdata(a), rankdata(b)),
        top=_top(a, b),
        n_compared=len(a),
        n_missing=len(one) - len(a),
    )


@dataclass(frozen=True, eq=False)
class HighPairs:
    """Pairs of high influence, to be compared with others of the same data.

    Attributes:
        key: int64 [P], ascending: train_index × n_test + test_index.
        influence: float64 [P].
        theta: all pairs with at least this influence are here; ∞ where they were too many.
        n_tested: how many pairs were looked at of which something can be said.
    """

    key: NDArray[np.int64]
    influence: Floats
    theta: float
    n_tested: int


def high_pairs(
    evidence: Evidence | MeanEvidence,
    family: Family,
    thresholds: Sequence[float],
    *,
    counter: PairCounter,
    most: int = MOST_PAIRS,
) -> HighPairs:
    """Find the pairs of a family with at least the lowest of several influences, in one pass.

    Few trials make high influence of mere noise. So the pass begins with the lowest threshold at
    which chance alone is expected to give at most ``most`` pairs, and gives up where there are
    more after all. ``counter`` counts the bits of correctness; other measures are averaged.
    """
    testable = family.testable(evidence)
    chance: Callable[[float], float]
    listed: Callable[[float], Iterable[_Part]]
    if isinstance(evidence, MeanEvidence):
        chance, listed = _of_means(evidence, testable)
    else:
        chance, listed = _of_counts(evidence, testable, counter)
    theta = next((each for each in sorted(thresholds) if chance(each) <= most), inf)
    parts: list[_Part] = [(np.zeros(0, np.int64), np.zeros(0))]
    for part in listed(theta) if theta < inf else ():
        parts.append(part)
        if sum(len(key) for key, _ in parts) > most:
            theta, parts = inf, parts[:1]
            break
    key, influence = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(key)
    return HighPairs(key[order], influence[order], theta, testable.n_pairs)


def _of_counts(
    evidence: Evidence, testable: Family, counter: PairCounter
) -> tuple[Callable[[float], float], Callable[[float], Iterable[_Part]]]:
    """What chance gives from a threshold on, and the pairs that reach one, by correctness."""
    n_test = len(evidence.correct)

    def reduce(found: CountedPairs) -> _Part:
        values, _ = evidence.estimate(found.in_correct, found.train, found.test)
        return found.train * n_test + found.test, values

    def listed(theta: float) -> Iterable[_Part]:
        found = scan(evidence, testable, InfluenceThreshold(theta), reduce, counter=counter)
        return (part.value for part in found)

    return lambda theta: by_chance(evidence, testable, InfluenceThreshold(theta)), listed


def _of_means(
    evidence: MeanEvidence, testable: Family
) -> tuple[Callable[[float], float], Callable[[float], Iterable[_Part]]]:
    """The same by another measure."""
    n_test = evidence.values.shape[1]

    def listed(theta: float) -> Iterable[_Part]:
        def reduce(found: means.Candidates) -> _Part:
            values = found.moments.influence
            kept = np.flatnonzero(reaches(values, theta))
            return (found.train * n_test + found.test)[kept], values[kept]

        return means.scan(evidence, testable, means.Near(theta, inf), reduce)

    return lambda theta: pairs.by_chance(evidence, testable, theta), listed


def pairs_overlap(one: HighPairs, other: HighPairs, thresholds: Sequence[float]) -> Overlap:
    """Compare pairs at several thresholds of influence; NaN at those either side has not listed."""
    _, at, there = np.intersect1d(one.key, other.key, assume_unique=True, return_indices=True)
    both = np.minimum(one.influence[at], other.influence[there])
    found = _overlap(one.influence, other.influence, both, thresholds)
    unknown = found.thresholds < max(one.theta, other.theta)
    counts = (np.where(unknown, np.nan, n) for n in (found.n_one, found.n_other, found.n_both))
    return Overlap(found.thresholds, *counts)


def _overlap(one: Floats, other: Floats, both: Floats, thresholds: Sequence[float]) -> Overlap:
    """``both``: the lower value of each example that has two, for it has to reach as well."""
    counts = [[reaches(each, t).sum() for t in thresholds] for each in (one, other, both)]
    return Overlap(np.array(thresholds, np.float64), *np.array(counts, np.float64))


def _top(a: Floats, b: Floats) -> float:
    return top(a, b, ceil(_TOP * len(a))) if len(a) else np.nan


def top(a: Floats, b: Floats, wanted: int) -> float:
    """Return which share of the ``wanted`` highest two sets of scores have in common.

    Where scores tie for the last places, the expectation over ties broken at random on each side.
    """
    return float((_chosen(a, wanted) * _chosen(b, wanted)).sum() / wanted)


def _chosen(values: Floats, wanted: int) -> Floats:
    """Return the probability of each to be among the highest, ties broken at random."""
    last = np.partition(values, len(values) - wanted)[len(values) - wanted]
    above, tied = values > last, values == last
    return np.where(above, 1.0, tied * (wanted - above.sum()) / tied.sum())


def _pearson(a: Floats, b: Floats) -> float:
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
