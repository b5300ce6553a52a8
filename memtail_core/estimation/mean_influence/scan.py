"""One pass over a family of pairs: rounded products for all, exact means for those that matter.

The sums of rounded outcomes are one product of matrices of small whole numbers, Mᵀ Q, with M the
subsets and Q the levels (:mod:`.level_sums`). The influence it gives is wrong by at most one level,
because each of its two means is by at most half of one. So no pair that reaches a threshold is
overlooked if it is lowered by a level, and what comes near is computed exactly.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.scan import Progress
from memtail_core.estimation.mean_influence.evidence import Floats, Indices, MeanEvidence
from memtail_core.estimation.mean_influence.exact import Moments, moments
from memtail_core.estimation.mean_influence.level_sums import COLUMNS, level_sums

_COLUMNS = 1024  # of a tile at most: their outcomes are 4 bytes for each trial
_ROWS = 2048  # of a tile at most: many use the tables of a column, and their sums stay cached
_NEVER = 2**31 - 1
_SLACK = 1e-6  # of a level, for rounding

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a tile holds of interest.

    Attributes:
        train, test: int64 [P], the pairs that may reach the threshold.
        moments: what the trials say of them.
        tally: int64 [bins], how many of all its pairs have an influence in each of equal bins.
    """

    train: Indices
    test: Indices
    moments: Moments
    tally: Indices

    def __len__(self) -> int:
        return len(self.train)


@dataclass(frozen=True)
class Near:
    """Which pairs are looked at closely: those of at least this influence, or this significance.

    Attributes:
        theta: least influence; ∞ where it does not matter.
        z: least influence in standard errors without influence.
    """

    theta: float
    z: float


def scan(
    evidence: MeanEvidence,
    family: Family,
    near: Near,
    reduce: Callable[[Candidates], R],
    *,
    threads: int = 1,
    n_bins: int = 0,
    progress: Progress | None = None,
) -> Iterator[R]:
    """Look at every pair of ``family``, and reduce what each tile holds.

    Args:
        evidence: the trials.
        family: the pairs; testable ones.
        near: which pairs to compute exactly.
        reduce: makes of each tile what is to be kept of it; runs beside others of its kind.
        threads: tiles at a time.
        n_bins: equal bins over ± the largest influence, into which that of every pair is tallied,
            as the rounded outcomes give it.
        progress: called with the number of pairs done since the last call.

    Yields:
        What ``reduce`` returned, in the order of the tiles, which depends on evidence and family
        alone.
    """
    waiting: deque[tuple[int, Future[R]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for rows, columns, outcome, levels in _tiles(evidence, family):
                work = _Tile(evidence, near, n_bins, rows, columns, outcome, levels)
                n_pairs = len(rows) * len(columns)
                waiting.append((n_pairs, pool.submit(lambda w: reduce(w.candidates()), work)))
                while len(waiting) > threads:
                    yield _next(waiting, progress)
            while waiting:
                yield _next(waiting, progress)
        finally:  # Ctrl-C: what has not begun need not
            pool.shutdown(wait=True, cancel_futures=True)


def _next(waiting: deque[tuple[int, Future[R]]], progress: Progress | None) -> R:
    n_pairs, future = waiting.popleft()
    value = future.result()
    if progress is not None:
        progress(n_pairs)
    return value


def _tiles(
    evidence: MeanEvidence, family: Family
) -> Iterator[tuple[Indices, Indices, NDArray[np.float32], NDArray[np.int8]]]:
    """Yield rows, columns, the outcomes of the columns and their levels."""
    for rows, columns in family.groups:
        ordered = rows[np.argsort(evidence.n_in[rows], kind="stable")]
        for left in range(0, len(columns), _COLUMNS):
            part = columns[left : left + _COLUMNS]
            outcome, levels = evidence.outcomes(part), evidence.rounded.levels[part]
            for start in range(0, len(ordered), _ROWS):
                yield ordered[start : start + _ROWS], part, outcome, levels


@dataclass(frozen=True, eq=False)
class _Tile:
    evidence: MeanEvidence
    near: Near
    n_bins: int
    rows: Indices
    columns: Indices
    outcome: NDArray[np.float32]
    levels: NDArray[np.int8]

    def candidates(self) -> Candidates:
        evidence, rows, columns = self.evidence, self.rows, self.columns
        words = np.ascontiguousarray(evidence.members.words[rows].T)
        sizes, size_of = np.unique(evidence.n_in[rows], return_inverse=True)
        tally = np.zeros(self.n_bins, np.int64)
        found: list[tuple[Indices, Indices]] = []
        least, scales = self._least(sizes), self._scales(sizes)
        sums = np.empty((len(rows), COLUMNS), np.int32)
        room = np.empty((2, sums.size), np.int32)
        for left in range(0, len(columns), COLUMNS):
            block = self.levels[left : left + COLUMNS]
            level_sums(words, block, sums)
            n = _reaching(sums, left, len(block), least, size_of, room)
            found.append((room[0, :n].astype(np.int64), room[1, :n].astype(np.int64)))
            if self.n_bins:
                _tally(sums, left, len(block), size_of, *scales, tally)
        row, column = (np.concatenate(each) for each in zip(*found, strict=True))
        used, at = np.unique(row, return_inverse=True)
        own = evidence.own_outcomes(rows[used]) if len(used) else None
        inside = evidence.inside(rows[used])
        of = moments(inside, self.outcome, own, self.levels, (at, column), evidence.trials)
        return Candidates(rows[row], columns[column], of, tally)

    def _least(self, sizes: Indices) -> NDArray[np.int32]:
        """The least sum of levels of each size and column that may matter, int32 [S, C]."""
        of, trials = self.evidence.rounded, self.evidence.trials
        step, total = of.step[self.columns], of.total[self.columns]
        n_in, n_out = sizes[:, None], trials - sizes[:, None]
        per_level = 1 / n_in + 1 / n_out
        by_z = self.near.z * of.spread[self.columns] * np.sqrt(per_level)
        # by significance the rounded outcomes decide; influence is wrong by a level at most
        wanted = np.minimum(by_z, self.near.theta / step - 1)
        sums = np.ceil((wanted + total / n_out) / per_level - _SLACK)
        return np.clip(sums, -_NEVER, _NEVER).astype(np.int32)

    def _scales(self, sizes: Indices) -> tuple[Floats, Floats, Floats]:
        """Influence in bins: slope [S] × step [C] × sum − offset [S, C]."""
        of, trials = self.evidence.rounded, self.evidence.trials
        step = of.step[self.columns] * self.n_bins / (2 * self.evidence.measure.span)
        slope = 1 / sizes + 1 / (trials - sizes)
        offset = (of.total[self.columns] * step) / (trials - sizes[:, None]) - self.n_bins / 2
        return slope, step, offset


@compiled
def _reaching(
    sums: NDArray[np.int32],
    left: int,
    width: int,
    least: NDArray[np.int32],
    size_of: Indices,
    room: NDArray[np.int32],
) -> int:
    """List the rows and columns, from ``left`` on, whose sum is at least what it has to be.

    Return how many.
    """
    found = 0
    for r in range(len(size_of)):
        floor, here = least[size_of[r], left : left + width], sums[r]
        some = False
        for c in range(width):
            some |= here[c] >= floor[c]
        if some:
            for c in range(width):
                if here[c] >= floor[c]:
                    room[0, found], room[1, found] = r, left + c
                    found += 1
    return found


@compiled
def _tally(
    sums: NDArray[np.int32],
    left: int,
    width: int,
    size_of: Indices,
    slope: Floats,
    step: Floats,
    offset: Floats,
    tally: Indices,
) -> None:
    last = len(tally) - 1
    for r in range(len(size_of)):
        a, less = slope[size_of[r]], offset[size_of[r], left : left + width]
        for c in range(width):
            at = math.floor(a * step[left + c] * sums[r, c] - less[c] + _SLACK)
            tally[min(last, max(0, at))] += 1
