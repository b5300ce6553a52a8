"""The pairs worth listing, by a measure: which reach the rule, how sure each is."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence.chosen_examples import low_of_chosen
from memtail_core.estimation.influence.false_discovery import (
    LEVELS,
    Levels,
    levels,
    log_threshold,
)
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.pair_statistics import MOST_PAIRS
from memtail_core.estimation.influence.pairs import WRONG, Pairs
from memtail_core.estimation.influence.scan import Progress
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.mean_influence.evidence import Indices, MeanEvidence
from memtail_core.estimation.mean_influence.exact import Moments
from memtail_core.estimation.mean_influence.scan import Candidates, Near, scan
from memtail_core.estimation.mean_influence.tested import Tested, joined
from memtail_core.estimation.mean_intervals import reach_and_freedom

_MOST_NOTED = 2e3  # p-values computed without influence anywhere: a tenth of a second
_LEAST_NOTED, _LARGEST_NOTED = 1e-4, 0.5
_DRAWN = 2**12  # pairs: their chance is that of all within some percent


@dataclass(frozen=True)
class Rule:
    """What a pair has to reach to be listed.

    Attributes:
        theta: this influence.
        z: this many standard errors without influence; −∞ where significance does not matter.
        log_p: at most this ln p.
    """

    theta: float
    z: float = -np.inf
    log_p: float = 0.0

    @property
    def near(self) -> Near:
        """The pairs that may reach it."""
        return Near(self.theta, np.inf) if np.isinf(self.z) else Near(np.inf, self.z)


@dataclass(frozen=True, eq=False)
class MeanPairs:
    """What a pass over a family finds.

    Attributes:
        pairs: those listed; without their ``threshold``, which is of counts.
        rule: what they reach; None if no pair is significant.
        family: the pairs that were tested.
        levels: how many of them have p-values of each level.
        tally: int64 [bins], how many have an influence in each of equal bins over ± the largest.
    """

    pairs: Pairs
    rule: Rule | None
    family: Family
    levels: Levels
    tally: Indices


def find(
    evidence: MeanEvidence,
    family: Family,
    theta: float,
    fdr: float | None = None,
    *,
    threads: int = 1,
    most: int = MOST_PAIRS,
    strongest: int | None = None,
    n_bins: int = 0,
    progress: Progress | None = None,
) -> MeanPairs:
    """List the pairs of ``family`` with influence ≥ ``theta``, and significant if ``fdr`` is given.

    A pair's p-value is that of a permutation test of its rounded outcomes (:mod:`.tails`), given
    the choice of its training example where the same trials chose it, by the same measure
    (:mod:`memtail_core.estimation.influence.chosen_examples`). Where the normal approximation says
    that it is too large to matter, it counts as 1. Intervals are Welch's, at the level that allows
    for the choice of the pairs listed.

    Args:
        evidence: the trials.
        family: which pairs are looked at.
        theta: least influence.
        fdr: largest expected share of false ones among the significant; None: significant or not.
        threads: tiles looked at side by side.
        most: how many may be found.
        strongest: how many of these to keep; None: all.
        n_bins: into how many bins to tally the influence of all; 0: not at all.
        progress: called with the number of pairs done since the last call.

    Raises:
        EstimationError: they are more than ``most``.
    """
    testable = family.testable(evidence)
    chance = by_chance(evidence, testable, theta)
    if fdr is None and chance > most:
        raise EstimationError(
            f"about {chance:,.0f} pairs would be found by chance alone, too many to list: ask for "
            "more influence, a false discovery rate, or fewer examples"
        )
    first = int(levels(np.log([_noted(testable.n_pairs)]))[0])
    least_z = -float(ndtri(np.exp(log_threshold(first))))

    def reduce(found: Candidates) -> tuple[Indices, Tested, Indices]:
        tested = Tested.of(evidence, testable, found.train, found.test, found.moments)
        noted = np.flatnonzero(tested.z(evidence) >= least_z)
        some = tested.where(noted)
        tested.log_p[noted] = some.log_probability(evidence, some.moments.level_sum)
        level = levels(tested.log_p[noted])
        counts = np.bincount(level[level >= first], minlength=LEVELS)
        is_kept = reaches(tested.moments.influence, theta)
        if fdr is not None:
            is_kept &= ~np.isnan(tested.log_p)
        return counts, tested.where(np.flatnonzero(is_kept)), found.tally

    counts, tally = np.zeros(LEVELS, np.int64), np.zeros(n_bins, np.int64)
    parts: list[Tested] = []
    near = Near(theta if fdr is None else np.inf, least_z)
    for here, kept, tallied in scan(
        evidence, testable, near, reduce, threads=threads, n_bins=n_bins, progress=progress
    ):
        counts += here
        tally += tallied
        parts.append(kept)
        if sum(map(len, parts)) > most:
            raise EstimationError(
                f"more than {most:,} pairs are too many to list: ask for more influence, a lower "
                "false discovery rate, or fewer examples"
            )
    if n_bins:
        tally[n_bins // 2] += family.n_estimable(evidence) - testable.n_pairs
    counted, everything = Levels(testable.n_pairs, counts, first), joined(parts)
    rule, listed = _selected(counted, everything, theta, fdr, least_z)
    if fdr is not None:
        chance = 0.0 if rule is None else min(chance, testable.n_pairs * float(np.exp(rule.log_p)))
    pairs = _described(evidence, listed, counted, chance, strongest)
    return MeanPairs(pairs, rule, testable, counted, tally)


def by_chance(evidence: MeanEvidence, testable: Family, theta: float) -> float:
    """Return how many pairs are expected to reach ``theta`` without influence, from a sample.

    Given that the trials chose the training examples, if they did.
    """
    train, test = testable.drawn(_DRAWN)
    if not len(train):
        return 0.0
    sizes = Moments.of_sizes(evidence.n_in[train], evidence.trials)
    is_chosen = testable.above is not None  # else chance depends on how many trials there are alone
    drawn = Tested.of(evidence, testable, train, test, None if is_chosen else sizes)
    log_p = drawn.log_probability(evidence, drawn.least_sum(evidence, theta))
    return testable.n_pairs * float(np.exp(log_p).mean())


def pairs_of_permuted(
    evidence: MeanEvidence, family: Family, rule: Rule, seeds: range, *, threads: int = 1
) -> Indices:
    """Count the pairs that reach ``rule`` with permuted trials, int64 [len(seeds)].

    See :func:`memtail_core.estimation.influence.pairs_of_permuted`.
    """
    found = []
    for seed in seeds:
        dealt = evidence.permuted(np.random.default_rng(seed).permutation(evidence.trials))
        testable = family.testable(dealt)

        def reaching(
            here: Candidates, dealt: MeanEvidence = dealt, testable: Family = testable
        ) -> int:
            tested = Tested.of(dealt, testable, here.train, here.test, here.moments)
            reach = reaches(tested.moments.influence, rule.theta)
            if np.isinf(rule.z):
                return int(reach.sum())
            some = tested.where(np.flatnonzero(reach & (tested.z(dealt) >= rule.z)))
            log_p = some.log_probability(dealt, some.moments.level_sum)
            return int((log_p <= rule.log_p).sum())

        found.append(sum(scan(dealt, testable, rule.near, reaching, threads=threads)))
    return np.array(found, np.int64)


def _selected(
    counted: Levels, everything: Tested, theta: float, fdr: float | None, least_z: float
) -> tuple[Rule | None, Tested]:
    if fdr is None:
        return Rule(theta), everything
    lowest = counted.threshold(fdr)
    if lowest is None:
        return None, everything.where(np.zeros(0, np.int64))
    significant = np.flatnonzero(levels(everything.log_p) >= lowest)
    return Rule(theta, least_z, log_threshold(lowest)), everything.where(significant)


def _described(
    evidence: MeanEvidence, found: Tested, counted: Levels, chance: float, strongest: int | None
) -> Pairs:
    order = np.lexsort((found.test, found.train, -found.moments.influence))[:strongest]
    listed = found.where(order)
    is_open = np.flatnonzero(np.isnan(listed.log_p))
    some = listed.where(is_open)
    listed.log_p[is_open] = some.log_probability(evidence, some.moments.level_sum)
    of, influence = listed.moments, listed.moments.influence
    reach, freedom = reach_and_freedom(*of.about(evidence.mean[listed.test]), evidence.possible)
    t = -stdtrit(freedom, WRONG / 2 * max(1, len(order)) / max(1, counted.n_tested))
    span = evidence.measure.span
    return Pairs(
        train_index=listed.train,
        test_index=listed.test,
        influence=influence,
        standard_error=np.sqrt((of.variance / of.n).sum(axis=0)),
        ci_low=low_of_chosen(influence, reach, t, listed.leeway, -span),
        ci_high=np.minimum(influence + t * reach, span),
        p_value=np.exp(listed.log_p),
        q_value=counted.q_values[levels(listed.log_p)],
        n_tested=counted.n_tested,
        n_found=len(found),
        expected_by_chance=chance,
        threshold=None,
    )


def _noted(n_tested: int) -> float:
    """Up to which p-value pairs are counted: all that could matter, or as many as is quick."""
    return min(_LARGEST_NOTED, max(_LEAST_NOTED, _MOST_NOTED / max(1, n_tested)))
