"""The strongest influences of each training example, and on each test example."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence import (
    Evidence,
    Family,
    PairCounter,
    StrongestPartners,
    pair_statistics,
    strongest_partners,
)
from memtail_core.estimation.influence.bits import Bits
from memtail_core.estimation.influence.false_discovery import levels
from memtail_core.estimation.influence.null_distribution import log_p_values
from memtail_core.estimation.intervals import reaches

LEAST = 0.05  # influence below it is not listed
ERRORS = 2  # influence of fewer standard errors is not listed
FDR = 0.05
_RANKED = 4  # rank 4 times as many as are listed, because some turn out within their errors

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Partners:
    """Up to k partners of each of n examples, the strongest influence first.

    A partner has an influence of at least 0.05 and of at least two standard errors, and is of the
    same class if the rule of pairs asks for it. Of the 4 k strongest, the significant ones come
    first, then the stronger ones, until there are k.

    Attributes:
        index: int64 [n, k]; −1 where there are fewer.
        influence, standard_error: float64 [n, k]; NaN where there is no partner.
        is_significant: bool [n, k], whether the pair is significant at a false discovery rate of
            5% among all pairs of the family.
    """

    index: Indices
    influence: Floats
    standard_error: Floats
    is_significant: NDArray[np.bool_]

    def of(self, examples: Indices) -> "Partners":
        """Return the partners of these rows, in that order."""
        return Partners(*(values[examples] for values in vars(self).values()))


def significance_level(evidence: Evidence, family: Family, engine: PairCounter) -> int | None:
    """Return the level of p-values at which pairs of the family become significant, or None."""
    statistics = pair_statistics(evidence, family, LEAST, counter=engine, significant=True, most=0)
    return statistics.levels.threshold(FDR)


def partners(
    evidence: Evidence,
    family: Family,
    level: int | None,
    k: int,
    of: Literal["test", "train"],
    *,
    engine: PairCounter,
    examples: Indices | None = None,
) -> Partners:
    """List the strongest partners of test, or training, examples within a family.

    Args:
        evidence: the trials.
        family: the pairs to test.
        level: of :func:`significance_level`; None: no pair is significant.
        k: the largest number of partners of each example.
        of: whether the lists are of test or of training examples.
        engine: counts the pairs.
        examples: of which, ascending; None: of all.
    """
    n = len(evidence.correct if of == "test" else evidence.members)
    examples = np.arange(n) if examples is None else examples
    place = np.full(n, -1, np.int64)
    place[examples] = np.arange(len(examples))
    shape = (len(examples), k)
    listed = Partners(
        np.full(shape, -1, np.int64), np.full(shape, np.nan), np.full(shape, np.nan),
        np.zeros(shape, np.bool_),
    )  # fmt: skip
    for train, test in family.testable(evidence).groups:
        mine, theirs = (test, train) if of == "test" else (train, test)
        wanted = np.flatnonzero(place[mine] >= 0)
        if not len(wanted):
            continue
        part = Evidence(_of(evidence.members, train), _of(evidence.correct, test))
        strongest = strongest_partners(part, wanted, _RANKED * k, of, counter=engine)
        _list(listed, strongest, place[mine], theirs, _is_significant(part, strongest, of, level))
    return listed


def _of(bits: Bits, examples: Indices) -> Bits:
    return Bits(bits.words[examples], bits.trials)


def _is_significant(
    evidence: Evidence,
    strongest: StrongestPartners,
    of: Literal["test", "train"],
    level: int | None,
) -> NDArray[np.bool_]:
    significant = np.zeros(strongest.partner.shape, np.bool_)
    at = np.nonzero(_is_noteworthy(strongest))
    if level is None or not len(at[0]):
        return significant
    example, partner = strongest.example[at[0]], strongest.partner[at]
    train, test = (partner, example) if of == "test" else (example, partner)
    both = evidence.members.words[train] & evidence.correct.words[test]
    in_correct = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    n_in, n_correct = evidence.n_in[train], evidence.n_correct[test]
    log_p = log_p_values(in_correct, n_in, n_correct, evidence.trials)
    significant[at] = levels(log_p) >= level
    return significant


def _is_noteworthy(strongest: StrongestPartners) -> NDArray[np.bool_]:
    surely = strongest.influence >= ERRORS * strongest.standard_error  # NaN, of no partner, is not
    return reaches(strongest.influence, LEAST) & surely


def _list(
    listed: Partners,
    strongest: StrongestPartners,
    mine: Indices,
    theirs: Indices,
    significant: NDArray[np.bool_],
) -> None:
    """Write the partners of one group of the family into the rows of its examples."""
    k = listed.index.shape[1]
    noteworthy = _is_noteworthy(strongest)
    rank = np.where(noteworthy, np.where(significant, 0, 1), 2)
    best = np.argsort(rank, axis=1, kind="stable")[:, :k]
    is_out = np.take_along_axis(rank, best, 1) == 2
    order = np.lexsort((best, is_out), axis=1)  # by falling influence again
    chosen = np.take_along_axis(best, order, 1)
    kept = np.take_along_axis(noteworthy, chosen, 1)
    rows = mine[strongest.example]
    columns: tuple[tuple[NDArray[Any], NDArray[Any], float], ...] = (
        (listed.index, theirs[strongest.partner], -1),
        (listed.influence, strongest.influence, np.nan),
        (listed.standard_error, strongest.standard_error, np.nan),
        (listed.is_significant, significant, False),
    )
    for to, values, none in columns:
        to[rows, : chosen.shape[1]] = np.where(kept, np.take_along_axis(values, chosen, 1), none)
