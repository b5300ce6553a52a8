"""The pairs worth listing: which reach the rule, how sure each is, how many chance would give."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence.chosen_examples import low_of_chosen
from memtail_core.estimation.influence.count_thresholds import (
    AllOf,
    CountThreshold,
    InfluenceThreshold,
    PValueThreshold,
)
from memtail_core.estimation.influence.counter import PairCounter
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.false_discovery import levels, log_threshold
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.pair_statistics import (
    MOST_PAIRS,
    PairStatistics,
    by_chance,
    leeway_of,
    log_p_of,
    pair_statistics,
)
from memtail_core.estimation.influence.scan import CountedPairs, Progress, joined, scan
from memtail_core.estimation.intervals import agresti_caffo, centre_and_error

WRONG = 0.05
"""Which share of the intervals listed may miss."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs by falling influence, and what they were chosen from.

    Attributes:
        train_index, test_index: int64 [P].
        influence, standard_error: float64 [P].
        ci_low, ci_high: float64 [P]. Chosen pairs have chosen errors: of 95% intervals far fewer
            than 95% hold. These are wider, so that on average at most 5% of those listed miss
            (Benjamini & Yekutieli 2005: at level 1 − 0.05 P / n_tested).
        p_value: float64 [P], of so large a count or a larger one without influence, exact; given
            the choice if the same trials chose the training examples; 0 below the least float.
        q_value: float64 [P], the least false discovery rate at which the pair is significant.
        n_tested: how many pairs were looked at of which something can be said; n_found: how many
            of them reach the rule, more than are listed if only the strongest are.
        expected_by_chance: how many of them would be listed, were there no influence at all; given
            that the same trials chose the training examples, if they did.
        threshold: what a pair has to reach to be listed; None if no pair is significant.
    """

    train_index: NDArray[np.int64]
    test_index: NDArray[np.int64]
    influence: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]
    p_value: NDArray[np.float64]
    q_value: NDArray[np.float64]
    n_tested: int
    n_found: int
    expected_by_chance: float
    threshold: CountThreshold | None

    def __len__(self) -> int:
        return len(self.train_index)

    def of_harm(self) -> "Pairs":
        """Read pairs of :meth:`Evidence.of_errors` as influence on being right: negative."""
        return replace(self, influence=-self.influence, ci_low=-self.ci_high, ci_high=-self.ci_low)


def find(
    evidence: Evidence,
    family: Family,
    theta: float,
    fdr: float | None = None,
    *,
    counter: PairCounter,
    most: int = MOST_PAIRS,
    strongest: int | None = None,
    progress: Progress | None = None,
) -> Pairs:
    """List the pairs of ``family`` with influence ≥ ``theta``, and significant if ``fdr`` is given.

    In one pass; where more than ``most`` pairs reach ``theta`` and few of them are significant, in
    another over the tiles that hold those.

    Args:
        evidence: the trials.
        family: which pairs are looked at.
        theta: least influence.
        fdr: largest expected share of false ones among the significant; None: significant or not.
        counter: counts the pairs, on the CPU or a GPU.
        most: how many may be found.
        strongest: how many of these to keep; None: all.
        progress: called with the number of pairs done since the last call.

    Raises:
        EstimationError: they are more than ``most``.
    """
    seen = pair_statistics(
        evidence,
        family,
        theta,
        counter=counter,
        significant=fdr is not None,
        most=most,
        progress=progress,
    )
    return select(evidence, seen, fdr, counter=counter, most=most, strongest=strongest)


def select(
    evidence: Evidence,
    seen: PairStatistics,
    fdr: float | None = None,
    *,
    counter: PairCounter,
    most: int = MOST_PAIRS,
    strongest: int | None = None,
) -> Pairs:
    """List what a survey has found; see :func:`find`."""
    if fdr is None and seen.significant:
        raise ValueError("the survey kept significant pairs only: say at which fdr")
    lowest = 0 if fdr is None else seen.levels.threshold(fdr)
    if lowest is None:
        return _described(evidence, joined([]), seen, 0.0, None, None)
    n_found = seen.n_reaching
    if lowest > 0:
        n_found = min(n_found, int(seen.levels.at_least[lowest]))
    if n_found > most:
        raise EstimationError(
            f"{n_found:,} pairs are too many to list, of {most:,}: ask for more influence, a lower "
            "false discovery rate, or fewer examples"
        )
    thresholds: list[CountThreshold] = [InfluenceThreshold(seen.theta)]
    if lowest > 0:
        thresholds.append(PValueThreshold(log_threshold(lowest)))
    threshold = AllOf(thresholds)
    if seen.kept is not None:
        found = seen.kept.where(levels(log_p_of(evidence, seen.family, seen.kept)) >= lowest)
    else:
        tiles = {number for number, level in seen.best.items() if level >= lowest}
        parts = scan(
            evidence, seen.family, threshold, lambda found: found, counter=counter, only=tiles
        )
        reaching = joined([part.value for part in parts])
        found = reaching.where(levels(log_p_of(evidence, seen.family, reaching)) >= lowest)
    chance = seen.chance if lowest == 0 else None
    if chance is None:
        chance = by_chance(evidence, seen.family, threshold)
    return _described(evidence, found, seen, chance, threshold, strongest)


def _described(
    evidence: Evidence,
    found: CountedPairs,
    seen: PairStatistics,
    chance: float,
    threshold: CountThreshold | None,
    strongest: int | None,
) -> Pairs:
    values, errors = evidence.estimate(found.in_correct, found.train, found.test)
    order = np.lexsort((found.test, found.train, -values))[:strongest]
    listed = found.where(order)
    train, test, in_correct = listed.train, listed.test, listed.in_correct
    n_in, n_correct = evidence.n_in[train], evidence.n_correct[test]
    log_p = log_p_of(evidence, seen.family, listed)
    z = -float(ndtri(WRONG / 2 * max(1, len(train)) / max(1, seen.levels.n_tested)))
    counts = in_correct, n_in, n_correct - in_correct, evidence.trials - n_in
    low, high = agresti_caffo(*counts, z)
    if (room := leeway_of(evidence, seen.family, listed)) is not None:
        low = low_of_chosen(*centre_and_error(*counts, z), z, room)
    return Pairs(
        train_index=train,
        test_index=test,
        influence=values[order],
        standard_error=errors[order],
        ci_low=low,
        ci_high=high,
        p_value=np.exp(log_p),
        q_value=seen.levels.q_values[levels(log_p)],
        n_tested=seen.levels.n_tested,
        n_found=len(values),
        expected_by_chance=chance,
        threshold=threshold,
    )
