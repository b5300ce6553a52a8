"""How well two studies agree with each other and each with itself, at equal numbers of trials."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.halves import PairComparison, Sample, halves, whole_blocks
from memtail_core.estimation.agreement import Agreement, Overlap, agreement
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Side:
    """One of two studies.

    Attributes:
        id, name: of the study.
        trials: its trials.
        block: trials in a block of its design: ``designs.block_size(ratio)`` if balanced, else 1.
        measure: what memorization and influence are differences of.
    """

    id: str
    name: str
    trials: Trials
    block: int
    measure: Measure = CORRECTNESS

    @classmethod
    def of(cls, study: Study, trials: Trials, measure: Measure = CORRECTNESS) -> Self:
        """Return the side that a study and its trials are."""
        return cls(study.id, study.name, trials, designs.block(study), measure)

    def sample(self, at: Indices) -> Sample:
        """Return some of the trials, int64 [t], treated as a study."""
        return Sample(self.trials, at, self.measure)


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Agreement at equal numbers of trials: of each side with itself, and of one with the other.

    There are R splits. The halves compared between the studies have no block number in common, so
    that no subset is on both sides even where both studies drew the same subsets; each value is the
    mean of two such comparisons.

    Attributes:
        trials: trials in each half, of the one and of the other side.
        jaccard: float64 [3, R, K], of memorized sets: within one, within other, between.
        pairs: float64 [3, R, L], Jaccard index of high-influence pairs, in the same order.
        pearson, spearman: float64 [3, R], correlations of memorization a and b.
        overall: float64 [3, R], mean |a − b|; squared: float64 [3, R], mean (a − b)².
    """

    trials: tuple[int, int]
    jaccard: Floats
    pairs: Floats
    pearson: Floats
    spearman: Floats
    overall: Floats
    squared: Floats


def yardstick(
    one: Side,
    other: Side,
    size: int,
    look: PairComparison,
    thresholds: Sequence[float],
    splits: int,
    seed: int,
    progress: ProgressCallback | None,
) -> Yardstick:
    """Compare halves of ``size`` trials (whole blocks of them), ``splits`` times."""
    per_side = (size // one.block * one.block, size // other.block * other.block)
    compared: list[list[tuple[Agreement, Overlap, float]]] = []
    for split in range(splits):
        rng = np.random.default_rng([seed, size, split])
        a, b, c, d = _four(one, other, per_side, rng)
        sides = [one.sample(a), one.sample(b), other.sample(c), other.sample(d)]
        pairs = look.pairs(sides)
        compared.append([])
        for i, j in ((0, 1), (2, 3), (0, 2), (1, 3)):
            x, y = sides[i].memorization, sides[j].memorization
            overlap = look.overlap(pairs[i], pairs[j])
            compared[-1].append((agreement(x, y, thresholds), overlap, mean_known((x - y) ** 2)))
        if progress is not None:
            progress(1)

    def figures(of: Callable[[Agreement, Overlap, float], Floats | float]) -> Floats:
        each = np.array(
            [[of(*comparison) for comparison in split] for split in compared], np.float64
        )
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

    Where blocks have one size, a and c have no block number in common, nor have b and d: c takes
    the blocks of b, d those of a, as far as the other side has them; other blocks fill both up.
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


def mean_known(values: Floats) -> float:
    """Return the mean of the values that are not NaN; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
