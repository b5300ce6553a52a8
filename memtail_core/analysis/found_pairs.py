"""The pairs of a report, by counting or by another measure, with what chance does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.measuring import mean_evidence
from memtail_core.estimation import mean_influence
from memtail_core.estimation.influence import (
    Evidence,
    Family,
    PairCounter,
    Pairs,
    PairsRule,
    counter_for,
    pair_statistics,
    pairs_of_permuted,
    select,
)
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.running.trials import Trials

SIGNIFICANT = 0.05
"""The false discovery rate at which a report counts significant pairs."""

_PERMUTATIONS = 10
_QUICK = 10**8  # pairs that are counted in a second
_QUICK_MEANS = 10**7  # the same of values
_BINS = 80  # of influence, 0.025 each for shares


@dataclass(frozen=True, eq=False)
class FoundPairs:
    """The pairs of a rule.

    Attributes:
        pairs: those listed.
        n_significant: how many are significant at ``SIGNIFICANT``, listed or not.
        n_permuted: how many are found with permuted trials, on average; None where that would
            take long.
        tally: int64 [80], how many of all tested have an influence in each of equal bins.
    """

    pairs: Pairs
    n_significant: int
    n_permuted: float | None
    tally: NDArray[np.int64]


def found_pairs(trials: Trials, family: Family, rule: PairsRule, measure: Measure) -> FoundPairs:
    """Find the pairs of a rule.

    Args:
        trials: with values, for other measures than correctness.
        family: the pairs that the rule looks at.
        rule: what a pair has to reach.
        measure: what influence is a difference of.

    Raises:
        EstimationError: they are too many, or the trials have no values.
    """
    if measure is CORRECTNESS:
        return _counted(trials.evidence(), family, rule)
    evidence = mean_evidence(trials, measure)
    threads = counter_for("cpu").threads
    found = mean_influence.find(
        evidence, family, rule.theta_infl, rule.fdr, threads=threads, n_bins=_BINS
    )
    level = found.levels.threshold(SIGNIFICANT)
    permuted = None
    if found.rule is not None and found.family.n_pairs <= _QUICK_MEANS:
        seeds = range(_PERMUTATIONS)
        counts = mean_influence.pairs_of_permuted(
            evidence, found.family, found.rule, seeds, threads=threads
        )
        permuted = float(counts.mean())
    n_significant = 0 if level is None else int(found.levels.at_least[level])
    return FoundPairs(found.pairs, n_significant, permuted, found.tally)


def _counted(evidence: Evidence, family: Family, rule: PairsRule) -> FoundPairs:
    counter = counter_for("cpu")
    significant = rule.fdr is not None
    counts = pair_statistics(
        evidence, family, rule.theta_infl, counter=counter, significant=significant, n_bins=_BINS
    )
    level = counts.levels.threshold(SIGNIFICANT)
    pairs = select(evidence, counts, rule.fdr, counter=counter)
    n_significant = 0 if level is None else int(counts.levels.at_least[level])
    permuted = _permuted(evidence, counts.family, pairs, counter)
    return FoundPairs(pairs, n_significant, permuted, counts.tally)


def _permuted(
    evidence: Evidence, family: Family, pairs: Pairs, counter: PairCounter
) -> float | None:
    """Check what is expected by chance, unless it would take long; how many pairs on average."""
    if pairs.threshold is None or family.n_pairs > _QUICK:
        return None
    seeds = range(_PERMUTATIONS)
    return float(
        pairs_of_permuted(evidence, family, pairs.threshold, seeds, counter=counter).mean()
    )
