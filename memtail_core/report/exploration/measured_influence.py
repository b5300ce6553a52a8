"""The strongest influences by another measure than correctness: the significant ones alone."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.measuring import mean_evidence
from memtail_core.errors import EstimationError
from memtail_core.estimation import mean_influence
from memtail_core.estimation.influence import Family, Pairs, counter_for
from memtail_core.estimation.measures import Measure
from memtail_core.report.exploration.strongest_influence import FDR, LEAST, Partners
from memtail_core.running.matrices import outcomes_block
from memtail_core.running.trials import Trials

_TESTS = 1024  # whose outcomes are averaged at once


def significant_pairs(trials: Trials, family: Family, measure: Measure, otherwise: Pairs) -> Pairs:
    """Find the pairs with influence ≥ 0.05 that are significant at a false discovery rate of 5%.

    Where these are too many to list, ``otherwise``: the pairs of the report.
    """
    evidence, threads = mean_evidence(trials, measure), counter_for("cpu").threads
    try:
        return mean_influence.find(evidence, family, LEAST, FDR, threads=threads).pairs
    except EstimationError:
        return otherwise


def measured_partners(pairs: Pairs, n: int, k: int, of: Literal["test", "train"]) -> Partners:
    """List the up to k strongest of these pairs of each of n test, or training, examples."""
    mine, theirs = (
        (pairs.test_index, pairs.train_index)
        if of == "test"
        else (pairs.train_index, pairs.test_index)
    )
    order = np.lexsort((-pairs.influence, mine))
    rows = mine[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)  # among those of its example
    order, rows, place = (each[place < k] for each in (order, rows, place))
    listed = Partners(
        np.full((n, k), -1, np.int64), np.full((n, k), np.nan), np.full((n, k), np.nan),
        np.zeros((n, k), np.bool_),
    )  # fmt: skip
    listed.index[rows, place] = theirs[order]
    listed.influence[rows, place] = pairs.influence[order]
    listed.standard_error[rows, place] = pairs.standard_error[order]
    listed.is_significant[rows, place] = pairs.q_value[order] <= FDR
    return listed


def means(trials: Trials, measure: Measure) -> NDArray[np.float64]:
    """The mean of the measure over all models, float64 [n_test]."""
    starts = range(0, trials.n_test, _TESTS)
    blocks = [outcomes_block(trials, measure, start, _TESTS) for start in starts]
    return np.concatenate([block.mean(0, dtype=np.float64) for block in blocks])
