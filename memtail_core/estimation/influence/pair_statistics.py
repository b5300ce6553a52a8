"""The first pass over a family of pairs: how many have which p-value, and which influence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence.chosen_examples import (
    chance_of_chosen,
    leeway,
    log_p_chosen,
)
from memtail_core.estimation.influence.count_thresholds import (
    AnyOf,
    CountThreshold,
    InfluenceThreshold,
    PValueThreshold,
)
from memtail_core.estimation.influence.counter import PairCounter
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.false_discovery import LEVELS, Levels, levels, log_threshold
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.null_distribution import expected_pairs, log_p_values
from memtail_core.estimation.influence.scan import CountedPairs, Progress, joined, scan
from memtail_core.estimation.intervals import reaches

MOST_PAIRS = 10_000_000
_MOST_NOTED = 2e5  # p-values computed without influence anywhere: less than a tenth of a second
_LEAST_NOTED = 1e-4
_LARGEST_FDR = 0.5
_DRAWN = 2**15  # pairs: their chance is that of all within some percent


@dataclass(frozen=True, eq=False)
class PairStatistics:
    """What a first pass over a family tells.

    Attributes:
        family: the pairs of which something can be said: see :meth:`Family.testable`.
        levels: how many of them have p-values of each level.
        tally: int64 [bins], how many pairs have an influence in each of equal bins over [−1, 1];
            a value on an edge counts above it, 1 in the last bin. Test examples that all trials
            got right, or all wrong, count here, with 0.
        theta: a threshold; kept: the testable pairs of at least that influence, and, if only
            ``significant`` ones are looked for, with p-values small enough to be counted; None if
            they are too many to keep. n_reaching: how many they are.
        chance: how many pairs are expected to reach theta without influence, given that the trials
            chose the family; None if they did not, or if only ``significant`` ones are looked for.
        best: for each tile that has any of them, its number: the highest level in it. Only these
            tiles have to be looked at again.
    """

    family: Family
    levels: Levels
    tally: NDArray[np.int64]
    theta: float
    significant: bool
    n_reaching: int
    kept: CountedPairs | None
    chance: float | None
    best: dict[int, int]


def pair_statistics(
    evidence: Evidence,
    family: Family,
    theta: float,
    *,
    counter: PairCounter,
    significant: bool = False,
    n_bins: int = 0,
    most: int = MOST_PAIRS,
    progress: Progress | None = None,
) -> PairStatistics:
    """Pass once over the pairs of a family, and count: see :class:`PairStatistics`.

    Args:
        evidence: the trials.
        family: which pairs are looked at.
        theta: the threshold from which on pairs are counted and kept.
        counter: counts the pairs, on the CPU or a GPU.
        significant: whether only significant pairs are looked for.
        n_bins: into how many bins to tally the influence of all; 0: not at all.
        most: how many pairs to keep.
        progress: called with the number of pairs done since the last call.

    Raises:
        EstimationError: chance alone is expected to give more than ``most``.
    """
    testable = family.testable(evidence)
    first = int(levels(np.log([_noted(testable.n_pairs)]))[0])
    noted, enough = PValueThreshold(log_threshold(first)), InfluenceThreshold(theta)
    threshold = noted if significant else AnyOf([noted, enough])
    if not significant and (n := by_chance(evidence, testable, enough)) > most:
        raise EstimationError(
            f"about {n:,.0f} pairs would be found by chance alone, too many to list: ask for more "
            "influence, a false discovery rate, or fewer examples"
        )

    def reduce(found: CountedPairs) -> tuple[NDArray[np.int64], CountedPairs, float]:
        level = levels(log_p_of(evidence, testable, found))
        counts = np.bincount(level, minlength=LEVELS)
        counts[:first] = 0
        values, _ = evidence.estimate(found.in_correct, found.train, found.test)
        chance = 0.0 if significant else _chance(evidence, testable, found, enough)
        return counts, found.where(reaches(values, theta)), chance

    counts, tally = np.zeros(LEVELS, np.int64), np.zeros(n_bins, np.int64)
    best: dict[int, int] = {}
    kept: list[CountedPairs] | None = []
    n_reaching, chance = 0, 0.0
    parts = scan(
        evidence, testable, threshold, reduce, counter=counter, n_bins=n_bins, progress=progress
    )
    for part in parts:
        counts_here, reaching, chance_here = part.value
        counts += counts_here
        chance += chance_here
        tally += reaching.tally
        n_reaching += len(reaching)
        if len(reaching):
            best[part.number] = int(np.flatnonzero(counts_here).max(initial=0))
        if kept is not None:
            kept.append(reaching)
            if n_reaching > most:
                kept = None
    is_chosen = testable.above is not None and evidence.own is not None
    if is_chosen and not significant:
        chance += _chance_of_others(evidence, testable, threshold, enough)
    if n_bins:
        tally[n_bins // 2] += family.n_estimable(evidence) - testable.n_pairs
    return PairStatistics(
        family=testable,
        levels=Levels(testable.n_pairs, counts, first),
        tally=tally,
        theta=theta,
        significant=significant,
        n_reaching=n_reaching,
        kept=None if kept is None else joined(kept),
        chance=chance if is_chosen and not significant else None,
        best=best,
    )


def by_chance(evidence: Evidence, testable: Family, threshold: CountThreshold) -> float:
    """Return how many pairs are expected to reach a threshold if there is no influence."""
    census = testable.census(evidence.n_in, evidence.n_correct)
    least = threshold.least(census.sizes, census.totals, evidence.trials)
    return expected_pairs(census, least, evidence.trials)


def log_p_of(evidence: Evidence, family: Family, found: CountedPairs) -> NDArray[np.float64]:
    """Return ln p of each pair found, float64 [P].

    See :mod:`.null_distribution`, and :mod:`.chosen_examples` where memorization chose the family.
    """
    n_in, n_correct = evidence.n_in[found.train], evidence.n_correct[found.test]
    log_p = log_p_values(found.in_correct, n_in, n_correct, evidence.trials)
    room = leeway_of(evidence, family, found)
    return log_p if room is None else log_p_chosen(log_p, evidence, found, room)


def leeway_of(
    evidence: Evidence, family: Family, found: CountedPairs
) -> NDArray[np.float64] | None:
    """Return :func:`.chosen_examples.leeway`; None if these trials did not choose the family."""
    if family.above is None or evidence.own is None:
        return None
    return leeway(evidence, evidence.own, family.above, found)


def _chance(
    evidence: Evidence, family: Family, found: CountedPairs, enough: CountThreshold
) -> float:
    """Of how many of these pairs, which the trials chose, chance makes ``enough``; else 0."""
    room = leeway_of(evidence, family, found)
    if room is None:
        return 0.0
    wanted = _least(evidence, found, enough)
    return float(chance_of_chosen(evidence, found, room, wanted).sum())


def _chance_of_others(
    evidence: Evidence, family: Family, listed: CountThreshold, enough: CountThreshold
) -> float:
    """The same of all pairs that do not reach ``listed``, from a sample of the family."""
    train, test = family.drawn(_DRAWN)
    both = evidence.members.words[train] & evidence.correct.words[test]
    in_correct = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    drawn = CountedPairs(train, test, in_correct, np.zeros(0, np.int64))
    others = drawn.where(in_correct < _least(evidence, drawn, listed))
    times = family.n_pairs / max(1, len(train))
    return times * _chance(evidence, family, others, enough)


def _least(evidence: Evidence, found: CountedPairs, threshold: CountThreshold) -> NDArray[np.int64]:
    """Return the least count of each pair that passes, int64 [P]."""
    sizes, size_of = np.unique(evidence.n_in[found.train], return_inverse=True)
    totals, total_of = np.unique(evidence.n_correct[found.test], return_inverse=True)
    return threshold.least(sizes, totals, evidence.trials)[size_of, total_of]


def _noted(n_tested: int) -> float:
    """Up to which p-value pairs are counted: all that could matter, or as many as is quick."""
    return min(_LARGEST_FDR, max(_LEAST_NOTED, _MOST_NOTED / max(1, n_tested)))
