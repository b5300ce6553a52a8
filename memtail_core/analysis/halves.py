"""Disjoint halves of a study's trials: two studies where there was one.

Within a block of the balanced design an example's inclusions depend on each other; between blocks
nothing does. So halves are made of whole blocks, and blocks of which a trial is missing are left
out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.measuring import mean_evidence
from memtail_core.errors import EstimationError
from memtail_core.estimation.agreement import (
    MOST_PAIRS,
    HighPairs,
    Overlap,
    high_pairs,
    pairs_overlap,
)
from memtail_core.estimation.averaged import by_measure
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import UNKNOWN, Observations
from memtail_core.estimation.influence import Evidence, PairCounter, PairsRule
from memtail_core.estimation.mean_influence import MeanEvidence
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_FEWEST_BLOCKS, _FEWEST_TRIALS = 2, 20  # of a half


def two_halves(study: Study, trials: Trials) -> tuple[Trials, Trials]:
    """Return the trials of the even and of the odd blocks.

    The trials of a block were drawn together and depend on each other; those of different blocks
    do not.

    Raises:
        EstimationError: one of the halves has fewer than 20 trials.
    """
    block = designs.block(study)
    is_odd = trials.trials // block % 2 == 1
    halves = trials.taken(np.flatnonzero(~is_odd)), trials.taken(np.flatnonzero(is_odd))
    if min(map(len, halves)) < _FEWEST_TRIALS:
        enough = 2 * block * ceil(_FEWEST_TRIALS / block)
        raise EstimationError(
            f"{study.id} has {len(trials)} models, too few to split into halves of at least "
            f"{_FEWEST_TRIALS}: train more (memtail run {study.id} --trials {enough})"
        )
    return halves


def halves(
    trials: Indices, block: int, rng: np.random.Generator, size: int | None = None
) -> tuple[Indices, Indices]:
    """Draw two disjoint sets of whole blocks of trials, as positions in ``trials``, ascending.

    Args:
        trials: int64 [T], ascending indices of the trials, as :attr:`Trials.trials`.
        block: trials in a block: ``designs.block_size(ratio)`` of the balanced design, 1 of the
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
class Sample:
    """Some of the trials of a study, treated as a study.

    Attributes:
        study: its trials.
        at: int64 [t], the positions of those it has.
        measure: what memorization and influence are differences of.
    """

    study: Trials
    at: Indices
    measure: Measure = CORRECTNESS

    @cached_property
    def memorization(self) -> Floats:
        """Of every training example, float64 [n]; NaN where missing.

        Raises:
            EstimationError: imported trials have no outcomes of training examples, or the trials
                have no values.
        """
        if self.study.train_correct is None:
            raise EstimationError(UNKNOWN)
        of, no_labels = self.study.taken(self.at), np.zeros(0, np.int64)
        seen = Observations(of.subset, of.train_correct, of.n, no_labels, of.train_values)
        return by_measure(self.measure, COUNTED).memorization(seen).memorization

    @property
    def measured(self) -> Evidence | MeanEvidence:
        """What influence by the measure is estimated from.

        Raises:
            EstimationError: the trials have no values.
        """
        if self.measure is CORRECTNESS:
            return self.evidence
        return mean_evidence(self.study.taken(self.at), self.measure)

    @cached_property
    def evidence(self) -> Evidence:
        """What influence on correctness is estimated from."""
        subset, correct = self.study.subset[self.at], self.study.test_correct[self.at]
        return Evidence.of(subset, correct, self.study.n, self.study.n_test)


@dataclass(frozen=True)
class PairComparison:
    """Which examples and pairs of a sample count, and how pairs are found.

    Attributes:
        y_train, y_test: int64 [n], [n_test].
        rule: which training examples pairs are looked for at: those that this sample memorizes.
        influence_thresholds: from which influence on.
        counter: counts the pairs, on the CPU or a GPU.
        most: how many pairs of a sample may be listed.
    """

    y_train: Indices
    y_test: Indices
    rule: PairsRule
    influence_thresholds: Sequence[float]
    counter: PairCounter
    most: int = MOST_PAIRS

    def pairs(self, sides: Sequence[Sample]) -> list[HighPairs]:
        """Find each side's pairs, of the training examples that all of them have a score for."""
        missing = np.isnan([side.memorization for side in sides]).any(axis=0)
        found = []
        for side in sides:
            memorization = np.where(missing, np.nan, side.memorization)
            family = self.rule.family(memorization, self.y_train, self.y_test)
            found.append(
                high_pairs(
                    side.measured,
                    family,
                    self.influence_thresholds,
                    counter=self.counter,
                    most=self.most,
                )
            )
        return found

    def overlap(self, one: HighPairs, other: HighPairs) -> Overlap:
        """Compare two sides' pairs at every threshold."""
        return pairs_overlap(one, other, self.influence_thresholds)
