"""Whom each training example supports, and what each test example rests on: the strongest few."""

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

LEAST = 0.05  # influence that is worth a look
ERRORS = 2  # standard errors that it is, at the least
FDR = 0.05
_RANKED = 4  # times as many as are listed: some of the strongest are within their errors

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Partners:
    """Up to k partners of each of n examples, by falling influence.

    A partner is of the same class, if the rule of pairs is, has an influence of at least 0.05, and
    of at least two standard errors. Of more than k (as far as 4 k, the strongest), the significant
    are preferred, then the strongest.

    Attributes:
        index: int64 [n, k]; −1 where there are fewer.
        influence, standard_error: float64 [n, k]; NaN where there is no partner.
        is_significant: bool [n, k], whether it is among the pairs of that family that survive a
            false discovery rate of 5%.
    """

    index: Indices
    influence: Floats
    standard_error: Floats
    is_significant: NDArray[np.bool_]


def significance_level(evidence: Evidence, family: Family, engine: PairCounter) -> int | None:
    """Return the level of p-values from which on pairs of the family are significant, or None."""
    seen = pair_statistics(evidence, family, LEAST, counter=engine, significant=True, most=0)
    return seen.levels.threshold(FDR)


def partners(
    evidence: Evidence,
    family: Family,
    level: int | None,
    k: int,
    of: Literal["test", "train"],
    *,
    engine: PairCounter,
) -> Partners:
    """List the strongest partners of every test, or training, example within a family.

    Args:
        evidence: the trials.
        family: which pairs are looked at.
        level: of :func:`significance_level`; None: no pair is significant.
        k: how many partners of each at the most.
        of: which kind of example the lists are of.
        engine: what counts.
    """
    n = len(evidence.correct if of == "test" else evidence.members)
    shape = (n, k)
    listed = Partners(
        np.full(shape, -1, np.int64), np.full(shape, np.nan), np.full(shape, np.nan),
        np.zeros(shape, np.bool_),
    )  # fmt: skip
    for train, test in family.testable(evidence).groups:
        part = Evidence(_of(evidence.members, train), _of(evidence.correct, test))
        mine, theirs = (test, train) if of == "test" else (train, test)
        found = strongest_partners(part, np.arange(len(mine)), _RANKED * k, of, counter=engine)
        _list(listed, found, mine, theirs, _is_significant(part, found, of, level))
    return listed


def _of(bits: Bits, examples: Indices) -> Bits:
    return Bits(bits.words[examples], bits.trials)


def _is_significant(
    evidence: Evidence, found: StrongestPartners, of: Literal["test", "train"], level: int | None
) -> NDArray[np.bool_]:
    significant = np.zeros(found.partner.shape, np.bool_)
    at = np.nonzero(_is_noteworthy(found))
    if level is None or not len(at[0]):
        return significant
    example, partner = found.example[at[0]], found.partner[at]
    train, test = (partner, example) if of == "test" else (example, partner)
    both = evidence.members.words[train] & evidence.correct.words[test]
    in_correct = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    n_in, n_correct = evidence.n_in[train], evidence.n_correct[test]
    log_p = log_p_values(in_correct, n_in, n_correct, evidence.trials)
    significant[at] = levels(log_p) >= level
    return significant


def _is_noteworthy(found: StrongestPartners) -> NDArray[np.bool_]:
    surely = found.influence >= ERRORS * found.standard_error  # NaN, of no partner, is not
    return reaches(found.influence, LEAST) & surely


def _list(
    listed: Partners,
    found: StrongestPartners,
    mine: Indices,
    theirs: Indices,
    significant: NDArray[np.bool_],
) -> None:
    """Write what was found of one group of the family into the rows of its examples."""
    k = listed.index.shape[1]
    noteworthy = _is_noteworthy(found)
    rank = np.where(noteworthy, np.where(significant, 0, 1), 2)
    best = np.argsort(rank, axis=1, kind="stable")[:, :k]
    is_out = np.take_along_axis(rank, best, 1) == 2
    order = np.lexsort((best, is_out), axis=1)  # by falling influence again
    chosen = np.take_along_axis(best, order, 1)
    kept = np.take_along_axis(noteworthy, chosen, 1)
    rows = mine[found.example]
    columns: tuple[tuple[NDArray[Any], NDArray[Any], float], ...] = (
        (listed.index, theirs[found.partner], -1),
        (listed.influence, found.influence, np.nan),
        (listed.standard_error, found.standard_error, np.nan),
        (listed.is_significant, significant, False),
    )
    for to, values, none in columns:
        to[rows, : chosen.shape[1]] = np.where(kept, np.take_along_axis(values, chosen, 1), none)
