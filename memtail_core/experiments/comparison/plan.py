"""What changes with the network: two studies of the same data, and what of it is noise.

Two studies disagree though nothing differs but chance. So each is also compared with itself: half
of its trials with the other half, beside half of one study with half of the other, at equal numbers
of trials. "They agree at 0.62 where one agrees with itself at 0.71" is what can be said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from memtail_core.analysis.disagreements import (
    LARGEST_Z,
    Counts,
    Disagreements,
    differs,
    disagreements,
    p_values,
)
from memtail_core.analysis.halves import Half, PairComparison, halves, sizes
from memtail_core.errors import EstimationError
from memtail_core.estimation.agreement import MOST_PAIRS, Agreement, HighPairs, Overlap, agreement
from memtail_core.estimation.influence import Evidence, PairCounter, PairsRule
from memtail_core.estimation.intervals import reaches
from memtail_core.experiments.comparison.yardstick import Side, Yardstick, mean_known, yardstick
from memtail_core.experiments.stability.plan import Progress
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_SURE = 0.05  # false discovery rate of pairs that one side has and the other has not
_AT_ONCE = 2**18  # pairs counted at a time


@dataclass(frozen=True, eq=False)
class Comparison:
    """How two studies of the same data agree, and how far noise explains that they do not.

    Attributes:
        names: of the one and the other; n_trials: how many each has.
        memorization: of each, float64 [n], with all trials.
        scores: agreement of memorization, with all trials.
        pairs: agreement of high-influence pairs, with all trials, at L thresholds.
        reliability: of each side's scores with all its trials: the mean correlation r of disjoint
            halves of h trials, extended to T: k r / (1 + (k − 1) r), k = T / h (Spearman 1910,
            Brown 1910).
        corrected: the correlation without noise, r_xy / √(ρ_x ρ_y) (Spearman 1904). It can exceed 1
            a little, by chance, and is not cut; NaN where a reliability is not above 0.
        beyond_noise: root mean square difference without noise,
            √ max(0, mean d² − mean(se₁² + se₂²)), with unbiased variances.
        shares_subsets: whether both trained on the same subsets, as studies of one seed and ratio
            do. Part of the noise is then common to both, and ``corrected`` and ``beyond_noise`` are
            from the halves of the yardstick, which share none: r_between / √(r_one r_other), and
            mean d² between less half of that within either.
        yardstick: agreement at equal numbers of trials.
        disagreements: examples, the largest sure difference first.
        only_one, only_other: float64 [L], pairs that the one has and the other has not, at each
            threshold, and surely: their influence differs at a false discovery rate of 5% over all
            pairs that either side looks at. NaN where there are too many pairs to list.
    """

    names: tuple[str, str]
    n_trials: tuple[int, int]
    memorization: tuple[Floats, Floats]
    scores: Agreement
    pairs: Overlap
    reliability: tuple[float, float]
    corrected: float
    beyond_noise: float
    shares_subsets: bool
    yardstick: Yardstick
    disagreements: Disagreements
    only_one: Floats
    only_other: Floats


def compare(
    one: Side,
    other: Side,
    y_train: Indices,
    y_test: Indices,
    rule: PairsRule,
    *,
    thresholds: Sequence[float],
    influence_thresholds: Sequence[float],
    splits: int = 5,
    seed: int = 0,
    engine: PairCounter,
    most: int = MOST_PAIRS,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two studies of the same data (Feldman & Zhang 2020, section 3.4).

    Args:
        one, other: the studies; their numbers of trials may differ.
        y_train, y_test: int64 [n], [n_test], labels.
        rule: whose theta_mem and same_class say which pairs are looked at, by each side's scores.
        thresholds: of memorization, K of them.
        influence_thresholds: of influence, above 0, L of them.
        splits: random splits of each side into halves.
        seed: of the splits.
        engine: what counts pairs.
        most: how many pairs of a side may be listed.
        progress: told of comparisons done, ``splits`` + 1.

    Raises:
        EstimationError: a side has too few trials to be halved.
        ValueError: they are not of the same data.
    """
    if (one.trials.n, one.trials.n_test) != (other.trials.n, other.trials.n_test):
        raise ValueError("only studies of the same examples can be compared")
    look = PairComparison(y_train, y_test, rule, influence_thresholds, engine, most)
    most_halved = [_largest(side) for side in (one, other)]
    whole = [Half(side.trials, np.arange(len(side.trials))) for side in (one, other)]
    counts = [Counts.of(side.trials) for side in (one, other)]
    scores = agreement(whole[0].memorization, whole[1].memorization, thresholds)
    found = look.pairs(whole)
    only = _only(found, [half.evidence for half in whole], influence_thresholds)
    if progress is not None:
        progress(1)
    measured = yardstick(one, other, min(most_halved), look, thresholds, splits, seed, progress)
    reliability = tuple(
        _reliability(side, size, splits, seed)
        for side, size in zip((one, other), most_halved, strict=True)
    )
    shares = _shares_subsets(one.trials, other.trials)
    if shares:
        r_one, r_other, r_between = measured.pearson.mean(axis=1)
        corrected = _corrected(r_between, r_one, r_other)
        within_one, within_other, between = measured.squared.mean(axis=1)
        beyond = between - (within_one + within_other) / 2
    else:
        corrected = _corrected(scores.pearson, *reliability)
        apart = (counts[0].estimate - counts[1].estimate) ** 2
        beyond = mean_known(apart - counts[0].variance - counts[1].variance)
    return Comparison(
        names=(one.name, other.name),
        n_trials=(len(one.trials), len(other.trials)),
        memorization=(whole[0].memorization, whole[1].memorization),
        scores=scores,
        pairs=look.overlap(*found),
        reliability=(reliability[0], reliability[1]),
        corrected=corrected,
        beyond_noise=float(np.sqrt(np.maximum(0, beyond))),
        shares_subsets=shares,
        yardstick=measured,
        disagreements=disagreements(*counts),
        only_one=only[0],
        only_other=only[1],
    )


def _largest(side: Side) -> int:
    try:
        return int(sizes(side.trials.trials, side.block)[-1])
    except EstimationError as error:
        raise EstimationError(f"{side.name}: {error}") from error


def _reliability(side: Side, size: int, splits: int, seed: int) -> float:
    found = []
    for split in range(splits):
        rng = np.random.default_rng([seed, size, split])
        at = halves(side.trials.trials, side.block, rng, size)
        one, other = (Half(side.trials, each).memorization for each in at)
        found.append(agreement(one, other, ()).pearson)
    r, k = float(np.mean(found)), len(side.trials) / size
    return k * r / (1 + (k - 1) * r)


def _corrected(r: float, one: float, other: float) -> float:
    return float(r / np.sqrt(one * other)) if one > 0 and other > 0 else np.nan


def _shares_subsets(one: Trials, other: Trials) -> bool:
    """Whether any trial of one index has one and the same subset on both sides."""
    _, at, there = np.intersect1d(one.trials, other.trials, return_indices=True)
    return bool((one.subset[at] == other.subset[there]).all(axis=1).any())


def _only(
    found: Sequence[HighPairs], evidence: Sequence[Evidence], thresholds: Sequence[float]
) -> tuple[Floats, Floats]:
    """Count the pairs that one has and the other has not, and surely.

    All other pairs looked at count as tests that show nothing, so that nothing is gained by
    having chosen those that one side lists.
    """
    theta = max(each.theta for each in found)
    n_tested = sum(each.n_tested for each in found)
    keys = [each.key[reaches(each.influence, theta)] for each in found]
    key = np.union1d(*keys)
    listed = [np.isin(key, each, assume_unique=True) for each in keys]
    train, test = key // len(evidence[0].correct), key % len(evidence[0].correct)
    mine, theirs = (_counts(each, train, test) for each in evidence)
    # one look leaves out most: a larger p is above 5% of any rank there is
    z = -float(ndtri(_SURE / 2 * max(1, len(key)) / max(1, n_tested)))
    near = np.flatnonzero(differs(mine, theirs, min(max(z, 0.0), LARGEST_Z)))
    p = p_values(mine.where(near), theirs.where(near))
    ranked = np.sort(p)
    passing = ranked[ranked <= _SURE * np.arange(1, len(p) + 1) / max(1, n_tested)]
    sure = near[p <= passing.max(initial=-1)]
    values = [mine.where(sure).estimate, theirs.where(sure).estimate]
    counted = np.full((2, len(thresholds)), np.nan)
    for column, threshold in enumerate(thresholds):
        if threshold >= theta:
            has = [reaches(each, threshold) for each in values]
            counted[0, column] = (has[0] & listed[0][sure] & ~has[1]).sum()
            counted[1, column] = (has[1] & listed[1][sure] & ~has[0]).sum()
    return counted[0], counted[1]


def _counts(evidence: Evidence, train: Indices, test: Indices) -> Counts:
    in_correct = np.empty(len(train), np.int64)
    for start in range(0, len(train), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        both = evidence.members.words[train[part]] & evidence.correct.words[test[part]]
        in_correct[part] = np.bitwise_count(both).sum(axis=1)
    n_in = evidence.n_in[train]
    out_correct = evidence.n_correct[test] - in_correct
    return Counts(in_correct, n_in, out_correct, evidence.trials - n_in)
