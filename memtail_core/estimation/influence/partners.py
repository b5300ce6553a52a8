"""The strongest few: the training examples each test example rests on most, or the reverse."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.counter import PairCounter, Ranking
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.scan import Progress

_COLUMNS = 2**15  # ranked at a time
_PAIRS = 2**24  # between two steps of a progress bar


@dataclass(frozen=True, eq=False)
class StrongestPartners:
    """The k strongest partners of each of E examples, strongest first.

    Attributes:
        example: int64 [E], what they are partners of.
        partner: int64 [E, k]; −1 where there are fewer.
        influence, standard_error: float64 [E, k]; NaN where there is no partner.
    """

    example: NDArray[np.int64]
    partner: NDArray[np.int64]
    influence: NDArray[np.float64]
    standard_error: NDArray[np.float64]

    def of_harm(self) -> "StrongestPartners":
        """Read what :meth:`Evidence.of_errors` gave as influence on being right: negative."""
        return replace(self, influence=-self.influence)


def strongest_partners(
    evidence: Evidence,
    examples: NDArray[np.int64],
    k: int,
    of: Literal["test", "train"],
    *,
    counter: PairCounter,
    progress: Progress | None = None,
) -> StrongestPartners:
    """Find the k training examples of most influence on each test example, or the reverse.

    Args:
        evidence: the trials; for the least influence, of :meth:`Evidence.of_errors`.
        examples: int64 [E], the test examples, or training examples.
        k: how many partners of each; of equal ones, those that come first.
        of: which kind ``examples`` are.
        counter: counts the pairs, on the CPU or a GPU.
        progress: called with the number of pairs done since the last call.

    Left out: training examples without an estimate, test examples that nothing has influence on.
    One pass, holding E × k numbers. Influence is n_in (T − n_in) times smaller than the integer
    T x − n_in n_correct, by which partners are ranked.
    """
    if k < 1:
        raise ValueError(f"{k} partners: ask for at least one")
    trials, n_in, n_correct = evidence.trials, evidence.n_in, evidence.n_correct
    is_estimable = evidence.is_estimable
    if of == "test":
        mine, theirs = evidence.correct, evidence.members
        of_mine, of_theirs = n_correct, n_in
        candidates = np.flatnonzero(is_estimable)
        scales = (n_in * (trials - n_in)).astype(np.float64)
        examples = examples[evidence.varies[examples]]
    else:
        mine, theirs = evidence.members, evidence.correct
        of_mine, of_theirs = n_in, n_correct
        candidates = np.flatnonzero(evidence.varies)
        scales = np.ones(len(theirs))
        examples = examples[is_estimable[examples]]
    best = np.full((len(examples), k), -np.inf)
    partner = np.full((len(examples), k), -1, np.int64)
    count = np.zeros((len(examples), k), np.int64)
    for left in range(0, len(candidates), _COLUMNS):
        columns = candidates[left : left + _COLUMNS]
        loaded = counter.load(theirs.words[columns])
        step = max(1, _PAIRS // len(columns))
        for start in range(0, len(examples), step):
            part = slice(start, start + step)
            rows = examples[part]
            counter.rank(
                Ranking(
                    rows=mine.words[rows],
                    columns=loaded,
                    indices=columns,
                    trials=trials,
                    row_totals=of_mine[rows],
                    column_totals=of_theirs[columns],
                    scales=scales[columns],
                    best=best[part],
                    partner=partner[part],
                    count=count[part],
                )
            )
            if progress is not None:
                progress(len(rows) * len(columns))
    shape = partner.shape
    train, test = (
        (partner, np.broadcast_to(examples[:, None], shape))
        if of == "test"
        else (np.broadcast_to(examples[:, None], shape), partner)
    )
    values, errors = evidence.estimate(count, train, test)
    is_none = partner < 0
    values[is_none] = errors[is_none] = np.nan
    return StrongestPartners(examples, partner, values, errors)
