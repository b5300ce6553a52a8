"""Compare two studies of the same data, and tell what differs from what is noise.

Two studies disagree even where only chance differs. So each is also compared with itself: half of
its trials with the other half, beside half of one study with half of the other, at equal numbers of
trials. "They agree at 0.62 where one agrees with itself at 0.71" is what can be said.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from memtail_core.analysis.disagreements import (
    LARGEST_Z,
    Counts,
    Differences,
    Disagreements,
    differs,
    disagreements,
    p_values,
)
from memtail_core.analysis.halves import PairComparison, Sample, halves, sizes
from memtail_core.analysis.mean_differences import Means
from memtail_core.analysis.measuring import mean_evidence
from memtail_core.errors import EstimationError
from memtail_core.estimation.agreement import MOST_PAIRS, HighPairs, Overlap, agreement
from memtail_core.estimation.influence import Evidence, PairCounter, PairsRule
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.measures import CORRECTNESS
from memtail_core.experiments.comparison.result import Both, Comparison, Disagreement
from memtail_core.experiments.comparison.yardstick import Side, mean_known, yardstick
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.stability.result import INFLUENCE_THRESHOLDS, THRESHOLDS
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_FDR = 0.05  # false discovery rate of examples, and of pairs, that differ
_AT_ONCE = 2**18  # pairs counted at a time
_LISTED = 48  # disagreements


def compare(
    one: Side,
    other: Side,
    y_train: Indices,
    y_test: Indices,
    rule: PairsRule,
    *,
    changes: Sequence[str] = (),
    thresholds: Sequence[float] = THRESHOLDS,
    influence_thresholds: Sequence[float] = INFLUENCE_THRESHOLDS,
    splits: int = 5,
    seed: int = 0,
    counter: PairCounter,
    most: int = MOST_PAIRS,
    progress: ProgressCallback | None = None,
) -> Comparison:
    """Compare two studies of the same data (Feldman & Zhang 2020, section 3.4).

    Args:
        one, other: the studies, by one measure; their numbers of trials may differ.
        y_train, y_test: int64 [n], [n_test], labels.
        rule: in units of the measure; its theta_mem and same_class say which pairs are looked at,
            by each side's scores.
        changes: what differs between the studies, each as ``training.epochs: 10 → 20``.
        thresholds: of memorization, K of them.
        influence_thresholds: of influence, above 0, L of them.
        splits: random splits of each side into halves.
        seed: of the splits.
        counter: counts pairs.
        most: how many pairs of a side may be listed.
        progress: called with comparisons done, of ``splits`` + 1.

    Raises:
        EstimationError: a side has too few trials to be halved.
        ValueError: the examples of the two are not the same.
    """
    if (one.trials.n, one.trials.n_test) != (other.trials.n, other.trials.n_test):
        raise ValueError("only studies of the same examples can be compared")
    look = PairComparison(y_train, y_test, rule, influence_thresholds, counter, most)
    most_halved = [_largest(side) for side in (one, other)]
    whole = [side.sample(np.arange(len(side.trials))) for side in (one, other)]
    scores = agreement(whole[0].memorization, whole[1].memorization, thresholds)
    high = look.pairs(whole)
    only_one, only_other = _only(high, whole, influence_thresholds)
    if progress is not None:
        progress(1)
    measured = yardstick(one, other, min(most_halved), look, thresholds, splits, seed, progress)
    reliability = tuple(
        _reliability(side, size, splits, seed)
        for side, size in zip((one, other), most_halved, strict=True)
    )
    estimates, differing = _estimates(one, other)
    shares = _shares_subsets(one.trials, other.trials)
    if shares:
        r_one, r_other, r_between = measured.pearson.mean(axis=1)
        corrected = _corrected(r_between, r_one, r_other)
        within_one, within_other, between = measured.squared.mean(axis=1)
        beyond = between - (within_one + within_other) / 2
    else:
        corrected = _corrected(scores.pearson, *reliability)
        apart = (estimates[0].estimate - estimates[1].estimate) ** 2
        beyond = mean_known(apart - estimates[0].variance - estimates[1].variance)
    return Comparison(
        study=one.id,
        trials=len(one.trials),
        other=other.id,
        other_trials=len(other.trials),
        measure=one.measure.name,
        names=(one.id, other.id) if one.name == other.name else (one.name, other.name),
        changes=[each for each in changes if not each.startswith("name:")],
        shares_subsets=shares,
        half=measured.trials,
        theta_mem=rule.theta_mem,
        theta_infl=rule.theta_infl,
        memorized=_rows(scores.overlap, measured.jaccard, difference=scores.difference),
        pairs=_rows(look.overlap(*high), measured.pairs, only_one=only_one, only_other=only_other),
        pearson=scores.pearson,
        spearman=scores.spearman,
        overall=scores.overall,
        top=scores.top,
        reliability=(reliability[0], reliability[1]),
        corrected=corrected,
        beyond_noise=float(np.sqrt(np.maximum(0, beyond))),
        significant=int((differing.q_value <= _FDR).sum()),
        disagreements=_listed(differing, *(half.memorization for half in whole)),
    )


def _rows(overlap: Overlap, halves: Floats, **more: Floats) -> list[Both]:
    """Return one row for each threshold; ``halves``: float64 [3, R, K], as of a yardstick."""
    known = ~np.isnan(halves)
    n, sums = known.sum(axis=1), np.where(known, halves, 0).sum(axis=1)
    within_one, within_other, between = np.divide(
        sums, n, out=np.full(sums.shape, np.nan), where=n > 0
    )
    columns = {
        "threshold": overlap.thresholds,
        "one": overlap.n_one,
        "other": overlap.n_other,
        "both": overlap.n_both,
        "jaccard": overlap.jaccard,
        "within_one": within_one,
        "within_other": within_other,
        "between": between,
        **more,
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [Both(**dict(zip(columns, row, strict=True))) for row in rows]


def _listed(differing: Disagreements, one: Floats, other: Floats) -> list[Disagreement]:
    """Return the most certain significant disagreements."""
    return [
        Disagreement(
            index=int(differing.index[k]),
            one=float(one[differing.index[k]]),
            other=float(other[differing.index[k]]),
            ci_low=float(differing.ci_low[k]),
            ci_high=float(differing.ci_high[k]),
            q_value=float(differing.q_value[k]),
        )
        for k in np.flatnonzero(differing.q_value <= _FDR)[:_LISTED]
    ]


def _largest(side: Side) -> int:
    try:
        return int(sizes(side.trials.trials, side.block)[-1])
    except EstimationError as error:
        raise EstimationError(f"{side.name}: {error}") from error


def _reliability(side: Side, size: int, splits: int, seed: int) -> float:
    correlations = []
    for split in range(splits):
        rng = np.random.default_rng([seed, size, split])
        at = halves(side.trials.trials, side.block, rng, size)
        one, other = (side.sample(each).memorization for each in at)
        correlations.append(agreement(one, other, ()).pearson)
    r, k = float(np.mean(correlations)), len(side.trials) / size
    return k * r / (1 + (k - 1) * r)


def _corrected(r: float, one: float, other: float) -> float:
    return float(r / np.sqrt(one * other)) if one > 0 and other > 0 else np.nan


def _shares_subsets(one: Trials, other: Trials) -> bool:
    """Whether any trial has the same subset on both sides."""
    _, at, there = np.intersect1d(one.trials, other.trials, return_indices=True)
    return bool((one.subset[at] == other.subset[there]).all(axis=1).any())


def _estimates(one: Side, other: Side) -> tuple[Sequence[Differences], Disagreements]:
    """Return both sides' memorization, and what differs."""
    if one.measure is CORRECTNESS:
        counts = Counts.of(one.trials), Counts.of(other.trials)
        return counts, disagreements(*counts)
    means = (Means.of_trials(one.trials, one.measure), Means.of_trials(other.trials, one.measure))
    return means, disagreements(*means)


def _only(
    high: Sequence[HighPairs], sides: Sequence[Sample], thresholds: Sequence[float]
) -> tuple[Floats, Floats]:
    """Count the pairs that one side has and the other significantly has not, float64 [L] each.

    All pairs that either side looks at count as tests, not only those that one side lists, so
    that the choice of those cannot make a difference look significant.
    """
    theta = max(each.theta for each in high)
    n_tested = sum(each.n_tested for each in high)
    keys = [each.key[reaches(each.influence, theta)] for each in high]
    key = np.union1d(*keys)
    listed = [np.isin(key, each, assume_unique=True) for each in keys]
    train, test = np.divmod(key, sides[0].study.n_test)
    # most pairs can be left out at once: their p-value is above 5% whatever its rank
    largest = _FDR * max(1, len(key)) / max(1, n_tested)
    near, p, values = _tested(sides, train, test, largest)
    ranked = np.sort(p)
    passing = ranked[ranked <= _FDR * np.arange(1, len(p) + 1) / max(1, n_tested)]
    is_significant = p <= passing.max(initial=-1)
    significant, values = near[is_significant], values[:, is_significant]
    counted = np.full((2, len(thresholds)), np.nan)
    for column, threshold in enumerate(thresholds):
        if threshold >= theta:
            has = [reaches(each, threshold) for each in values]
            counted[0, column] = (has[0] & listed[0][significant] & ~has[1]).sum()
            counted[1, column] = (has[1] & listed[1][significant] & ~has[0]).sum()
    return counted[0], counted[1]


def _tested(
    sides: Sequence[Sample], train: Indices, test: Indices, largest: float
) -> tuple[Indices, Floats, Floats]:
    """Return which pairs may have a p-value up to ``largest``, that, and both sides' influence."""
    if sides[0].measure is CORRECTNESS:
        mine, theirs = (_counts(side.evidence, train, test) for side in sides)
        z = -float(ndtri(largest / 2))
        near = np.flatnonzero(differs(mine, theirs, min(max(z, 0.0), LARGEST_Z)))
        mine, theirs = mine.where(near), theirs.where(near)
        return near, p_values(mine, theirs), np.array([mine.estimate, theirs.estimate])
    parts = []
    means = [mean_evidence(side.study, side.measure) for side in sides]
    for start in range(0, len(train), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        one, other = (Means.of_pairs(each, train[part], test[part]) for each in means)
        parts.append(np.array([one.tested(other).p_value, one.estimate, other.estimate]))
    p, *values = np.concatenate([np.zeros((3, 0)), *parts], axis=1)
    return np.arange(len(train)), p, np.array(values)


def _counts(evidence: Evidence, train: Indices, test: Indices) -> Counts:
    in_correct = np.empty(len(train), np.int64)
    for start in range(0, len(train), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        both = evidence.members.words[train[part]] & evidence.correct.words[test[part]]
        in_correct[part] = np.bitwise_count(both).sum(axis=1)
    n_in = evidence.n_in[train]
    out_correct = evidence.n_correct[test] - in_correct
    return Counts(in_correct, n_in, out_correct, evidence.trials - n_in)
