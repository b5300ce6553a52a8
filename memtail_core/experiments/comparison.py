"""What changes with the network: two studies of the same data, and what of it is noise.

Two studies disagree though nothing differs but chance. So each is also compared with itself: half
of its trials with the other half, beside half of one study with half of the other, at equal numbers
of trials. "They agree at 0.62 where one agrees with itself at 0.71" is what can be said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import false_discovery_control

from memtail_core.errors import EstimationError
from memtail_core.estimation.agreement import (
    MOST_PAIRS,
    Agreement,
    HighPairs,
    Overlap,
    agreement,
)
from memtail_core.estimation.influence import Engine, Evidence, PairsRule
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.memorization import column_sums
from memtail_core.experiments.stability import Half, Look, Progress, halves, sizes, whole_blocks
from memtail_core.trials import Trials

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_Z95 = 1.959963984540054
_LARGEST_Z = 40.0  # of a p-value below the least float
_HALVINGS = 40  # of it, to 4e-11
_SURE = 0.05  # false discovery rate of pairs that one side has and the other has not
_AT_ONCE = 2**18  # pairs counted at a time


@dataclass(frozen=True, eq=False)
class Side:
    """One of two studies.

    Attributes:
        name: what it is called.
        trials: its trials.
        block: trials in a block of its design: ``plans.block_size(ratio)`` if balanced, else 1.
    """

    name: str
    trials: Trials
    block: int


@dataclass(frozen=True, eq=False)
class Counts:
    """How often an example, or a pair, was right in trials that trained on it and in others.

    Attributes:
        in_correct, n_in, out_correct, n_out: int64 [P].
    """

    in_correct: Indices
    n_in: Indices
    out_correct: Indices
    n_out: Indices

    @classmethod
    def of(cls, trials: Trials) -> "Counts":
        """Count for every training example, int64 [n]."""
        n_in = column_sums(trials.subset, trials.n)
        in_correct = column_sums(trials.subset & trials.train_correct, trials.n)
        correct = column_sums(trials.train_correct, trials.n)
        return cls(in_correct, n_in, correct - in_correct, len(trials) - n_in)

    @property
    def estimate(self) -> Floats:
        """p_in − p_out, float64 [P]; NaN where either was never."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.in_correct / self.n_in - self.out_correct / self.n_out)

    @property
    def variance(self) -> Floats:
        """Unbiased: Σ p (1 − p) / (n − 1), float64 [P]; NaN where a group has fewer than two."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p, q = self.in_correct / self.n_in, self.out_correct / self.n_out
            found = p * (1 - p) / (self.n_in - 1) + q * (1 - q) / (self.n_out - 1)
        return np.where((self.n_in > 1) & (self.n_out > 1), found, np.nan)

    def where(self, chosen: NDArray[np.generic]) -> "Counts":
        """Return those that a mask or indices choose."""
        return Counts(
            self.in_correct[chosen], self.n_in[chosen], self.out_correct[chosen], self.n_out[chosen]
        )

    def moderated(self, added: Floats | float) -> tuple[Floats, Floats]:
        """Return p̃_in − p̃_out and its variance with ``added`` successes and failures each."""
        of_in, of_out = self.n_in + 2 * added, self.n_out + 2 * added
        p, q = (self.in_correct + added) / of_in, (self.out_correct + added) / of_out
        return p - q, p * (1 - p) / of_in + q * (1 - q) / of_out


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Examples by how much the two sides surely differ on them, the largest sure difference first.

    The order is by the end of the interval nearest to 0; those whose interval holds 0 come last.
    Where both sides trained on the same subsets, part of the noise is common to both, and the
    errors here are too large rather than too small.

    Attributes:
        index: int64 [P], the training examples that both sides have a score for.
        difference: float64 [P], memorization of the one less that of the other, in [−2, 2].
        standard_error: float64 [P], with one success and one failure added to each group.
        ci_low, ci_high: float64 [P], 95% interval: the two Agresti–Caffo intervals combined, their
            half-widths as √(h₁² + h₂²) about the difference of their centres (MOVER, Zou & Donner
            2008).
        p_value: float64 [P], two-sided, of no difference: see :func:`p_values`.
        q_value: float64 [P], Benjamini & Hochberg 1995, over all P.
    """

    index: Indices
    difference: Floats
    standard_error: Floats
    ci_low: Floats
    ci_high: Floats
    p_value: Floats
    q_value: Floats


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Agreement at equal numbers of trials: of each side with itself, and of one with the other.

    R splits; ``between`` is of halves that have no block number in common, so that no subset is on
    both of its sides even where the two studies drew the same, the mean of two such comparisons.

    Attributes:
        trials: trials in each half, of the one and of the other side.
        jaccard: float64 [3, R, K], of memorized sets: within one, within other, between.
        pairs: float64 [3, R, L], Jaccard of high-influence pairs, likewise.
        pearson, spearman, overall: float64 [3, R], likewise; the last the mean |a − b|.
        squared: float64 [3, R], mean (a − b)².
    """

    trials: tuple[int, int]
    jaccard: Floats
    pairs: Floats
    pearson: Floats
    spearman: Floats
    overall: Floats
    squared: Floats


@dataclass(frozen=True, eq=False)
class Comparison:
    """How two studies of the same data agree, and how far noise explains that they do not.

    Attributes:
        names: of the one and the other; n_trials: how many each has.
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
    engine: Engine,
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
    look = Look(y_train, y_test, rule, influence_thresholds, engine, most)
    most_halved = [_largest(side) for side in (one, other)]
    whole = [Half(side.trials, np.arange(len(side.trials))) for side in (one, other)]
    counts = [Counts.of(side.trials) for side in (one, other)]
    scores = agreement(whole[0].memorization, whole[1].memorization, thresholds)
    found = look.pairs(whole)
    only = _only(found, [half.evidence for half in whole], influence_thresholds)
    if progress is not None:
        progress(1)
    yardstick = _yardstick(one, other, min(most_halved), look, thresholds, splits, seed, progress)
    reliability = tuple(
        _reliability(side, size, splits, seed)
        for side, size in zip((one, other), most_halved, strict=True)
    )
    shares = _shares_subsets(one.trials, other.trials)
    if shares:
        r_one, r_other, r_between = yardstick.pearson.mean(axis=1)
        corrected = _corrected(r_between, r_one, r_other)
        within_one, within_other, between = yardstick.squared.mean(axis=1)
        beyond = between - (within_one + within_other) / 2
    else:
        corrected = _corrected(scores.pearson, *reliability)
        apart = (counts[0].estimate - counts[1].estimate) ** 2
        beyond = _mean(apart - counts[0].variance - counts[1].variance)
    return Comparison(
        names=(one.name, other.name),
        n_trials=(len(one.trials), len(other.trials)),
        scores=scores,
        pairs=look.overlap(*found),
        reliability=(reliability[0], reliability[1]),
        corrected=corrected,
        beyond_noise=float(np.sqrt(np.maximum(0, beyond))),
        shares_subsets=shares,
        yardstick=yardstick,
        disagreements=disagreements(*counts),
        only_one=only[0],
        only_other=only[1],
    )


def disagreements(one: Counts, other: Counts) -> Disagreements:
    """Say of each example how much the two sides differ on it, and how surely."""
    index = np.flatnonzero(~np.isnan(one.estimate - other.estimate))
    one, other = one.where(index), other.where(index)
    (centre, of_one), (centre_other, of_other) = one.moderated(1), other.moderated(1)
    error = np.sqrt(of_one + of_other)
    low = np.maximum(centre - centre_other - _Z95 * error, -2)
    high = np.minimum(centre - centre_other + _Z95 * error, 2)
    p = p_values(one, other)
    q = false_discovery_control(p) if len(p) else p
    difference = one.estimate - other.estimate
    order = np.lexsort((index, -np.abs(difference), -np.maximum(low, -high)))
    return Disagreements(
        index=index[order],
        difference=difference[order],
        standard_error=error[order],
        ci_low=low[order],
        ci_high=high[order],
        p_value=p[order],
        q_value=np.asarray(q)[order],
    )


def p_values(one: Counts, other: Counts) -> Floats:
    """Return two-sided p-values of equal p_in − p_out on both sides, float64 [P].

    p is the level at which the interval of the difference just holds 0, with as many successes and
    failures added to each group as that level takes: a = max(1, z² / 4), as in
    :func:`~memtail_core.estimation.intervals.agresti_caffo`. With a = 1 at every level, 6 of 6
    against 0 of 6 would have p = 1e-9, which by chance happens at 5e-4, and among thousands of
    examples some would always seem sure.
    """
    low = np.zeros(len(one.n_in))
    high = np.full(len(one.n_in), _LARGEST_Z)
    for _ in range(_HALVINGS):
        z = (low + high) / 2
        differs = _differs(one, other, z)
        low, high = np.where(differs, z, low), np.where(differs, high, z)
    return np.asarray(2 * ndtr(-low))


def _differs(one: Counts, other: Counts, z: Floats | float) -> NDArray[np.bool_]:
    """Whether the interval of the difference at level z leaves out 0."""
    added = np.maximum(1, np.square(z) / 4)
    (centre, of_one), (centre_other, of_other) = one.moderated(added), other.moderated(added)
    return np.asarray(np.abs(centre - centre_other) > z * np.sqrt(of_one + of_other))


def _largest(side: Side) -> int:
    try:
        return int(sizes(side.trials.trials, side.block)[-1])
    except EstimationError as error:
        raise EstimationError(f"{side.name}: {error}") from error


def _yardstick(
    one: Side,
    other: Side,
    size: int,
    look: Look,
    thresholds: Sequence[float],
    splits: int,
    seed: int,
    progress: Progress | None,
) -> Yardstick:
    per_side = (size // one.block * one.block, size // other.block * other.block)
    found: list[list[tuple[Agreement, Overlap, float]]] = []
    for split in range(splits):
        rng = np.random.default_rng([seed, size, split])
        a, b, c, d = _four(one, other, per_side, rng)
        sides = [Half(one.trials, a), Half(one.trials, b)]
        sides += [Half(other.trials, c), Half(other.trials, d)]
        pairs = look.pairs(sides)
        found.append([])
        for i, j in ((0, 1), (2, 3), (0, 2), (1, 3)):
            x, y = sides[i].memorization, sides[j].memorization
            overlap = look.overlap(pairs[i], pairs[j])
            found[-1].append((agreement(x, y, thresholds), overlap, _mean((x - y) ** 2)))
        if progress is not None:
            progress(1)

    def figures(of: Callable[[Agreement, Overlap, float], Floats | float]) -> Floats:
        each = np.array([[of(*comparison) for comparison in split] for split in found], np.float64)
        each = np.moveaxis(each, 1, 0)
        return np.stack([each[0], each[1], (each[2] + each[3]) / 2])

    return Yardstick(
        trials=per_side,
        jaccard=figures(lambda scores, *_: scores.overlap.jaccard),
        pairs=figures(lambda _, pairs, __: pairs.jaccard),
        pearson=figures(lambda scores, *_: scores.pearson),
        spearman=figures(lambda scores, *_: scores.spearman),
        overall=figures(lambda scores, *_: scores.overall),
        squared=figures(lambda _, __, squared: squared),
    )


def _four(
    one: Side, other: Side, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Indices, Indices, Indices, Indices]:
    """Draw halves a, b of one and c, d of the other.

    Where blocks are of one size, a and c have no block number in common, nor have b and d: c takes
    the blocks of b, d those of a, as far as the other side has them, and the rest fills both up.
    """
    a, b = halves(one.trials.trials, one.block, rng, size[0])
    if one.block != other.block:
        return a, b, *halves(other.trials.trials, other.block, rng, size[1])
    rows = whole_blocks(other.trials.trials, other.block)
    numbers = other.trials.trials[rows[:, 0]] // other.block
    in_a, in_b = (np.isin(numbers, one.trials.trials[each] // one.block) for each in (a, b))
    rest = rng.permutation(np.flatnonzero(~(in_a | in_b)))
    n = size[1] // other.block
    missing = n - int(in_b.sum())
    c = np.concatenate([np.flatnonzero(in_b), rest[:missing]])
    d = np.concatenate([np.flatnonzero(in_a), rest[missing : missing + n - int(in_a.sum())]])
    return a, b, np.sort(rows[c].ravel()), np.sort(rows[d].ravel())


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
    near = np.flatnonzero(_differs(mine, theirs, min(max(z, 0.0), _LARGEST_Z)))
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


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
