"""One pass over a family of pairs, tile by tile, on every core, in bounded memory."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.count_thresholds import CountThreshold
from memtail_core.estimation.influence.counter import PairCounter, Tile
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.families import Family, Indices

_COLUMNS = 2**15  # of a tile at most
_PAIRS = 2**23  # of a tile: some tens of milliseconds on a core
R = TypeVar("R")

Progress = Callable[[int], None]
"""Called with the number of pairs done since the last call."""


@dataclass(frozen=True, eq=False)
class CountedPairs:
    """What a tile holds of interest.

    Attributes:
        train, test: int64 [P], the pairs that reach the threshold; in_correct: int64 [P], how many
            trials trained on the one and got the other right.
        tally: int64 [bins], how many of all its pairs have an influence in each of equal bins.
    """

    train: Indices
    test: Indices
    in_correct: NDArray[np.int64]
    tally: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.train)

    def where(self, chosen: NDArray[np.generic]) -> "CountedPairs":
        """Return those pairs that a mask or indices choose."""
        return replace(
            self,
            train=self.train[chosen],
            test=self.test[chosen],
            in_correct=self.in_correct[chosen],
        )


def joined(parts: Sequence[CountedPairs]) -> CountedPairs:
    """Put the pairs of several tiles together; tallies are left out."""
    none = np.zeros(0, np.int64)
    return CountedPairs(
        train=np.concatenate([none, *(part.train for part in parts)]),
        test=np.concatenate([none, *(part.test for part in parts)]),
        in_correct=np.concatenate([none, *(part.in_correct for part in parts)]),
        tally=none,
    )


@dataclass(frozen=True, eq=False)
class TileResult(Generic[R]):
    """What a tile was reduced to, and the tile's number."""

    number: int
    value: R


def scan(
    evidence: Evidence,
    family: Family,
    threshold: CountThreshold,
    reduce: Callable[[CountedPairs], R],
    *,
    counter: PairCounter,
    n_bins: int = 0,
    only: Collection[int] | None = None,
    progress: Progress | None = None,
) -> Iterator[TileResult[R]]:
    """Count every pair of ``family``, and reduce what each tile holds.

    Args:
        evidence: the trials.
        family: the pairs.
        threshold: which pairs to list.
        reduce: makes of each tile what is to be kept of it; runs beside others of its kind.
        counter: counts the pairs, on the CPU or a GPU.
        n_bins: equal bins over [−1, 1] into which the influence of every pair is tallied.
        only: numbers of the tiles to look at, as an earlier pass over the same family gave them.
        progress: called with the number of pairs done since the last call.

    Yields:
        What ``reduce`` returned, in the order of the tiles, which depends on evidence and family
        alone.
    """
    n_in, totals = evidence.n_in, evidence.n_correct
    sizes, size_of = np.unique(n_in, return_inverse=True)
    kinds, kind_of = np.unique(totals, return_inverse=True)
    least = threshold.least(sizes, kinds, evidence.trials)
    trials = evidence.trials
    with np.errstate(divide="ignore"):
        offset = np.where(n_in < trials, 1 / (trials - n_in), 0.0)
        slope = np.where(n_in > 0, 1 / n_in, 0.0) + offset

    def look(rows: Indices, columns: Indices, loaded: Any) -> tuple[R, int]:
        present, least_of = np.unique(size_of[rows], return_inverse=True)
        hits = counter.scan(
            Tile(
                rows=evidence.members.words[rows],
                columns=loaded,
                n_columns=len(columns),
                least=least[np.ix_(present, kind_of[columns])],
                least_of=least_of,
                slope=slope[rows],
                offset=offset[rows],
                totals=totals[columns].astype(np.float64),
                n_bins=n_bins,
            )
        )
        found = CountedPairs(rows[hits.row], columns[hits.column], hits.count, hits.tally)
        return reduce(found), len(rows) * len(columns)

    waiting: deque[tuple[int, Future[tuple[R, int]]]] = deque()
    with ThreadPoolExecutor(counter.threads) as threads:
        try:
            for number, (rows, columns, loaded) in _tiles(evidence, family, counter, only):
                waiting.append((number, threads.submit(look, rows, columns, loaded)))
                while len(waiting) > 2 * counter.threads:
                    yield _next(waiting, progress)
            while waiting:
                yield _next(waiting, progress)
        finally:  # Ctrl-C: what has not begun need not
            threads.shutdown(wait=True, cancel_futures=True)


def _next(
    waiting: deque[tuple[int, Future[tuple[R, int]]]], progress: Progress | None
) -> TileResult[R]:
    number, future = waiting.popleft()
    value, pairs = future.result()
    if progress is not None:
        progress(pairs)
    return TileResult(number, value)


def _tiles(
    evidence: Evidence, family: Family, counter: PairCounter, only: Collection[int] | None
) -> Iterator[tuple[int, tuple[Indices, Indices, Any]]]:
    """Yield rows, columns and the columns as the counter wants them, numbered.

    Rows come by n_in, so that a tile has few different ones: few thresholds to look up.
    """
    number = -1
    for rows, columns in family.groups:
        ordered = rows[np.argsort(evidence.n_in[rows], kind="stable")]
        for left in range(0, len(columns), _COLUMNS):
            part = columns[left : left + _COLUMNS]
            loaded = None
            step = max(1, _PAIRS // len(part))
            for start in range(0, len(ordered), step):
                number += 1
                if only is not None and number not in only:
                    continue
                if loaded is None:
                    loaded = counter.load(evidence.correct.words[part])
                yield number, (ordered[start : start + step], part, loaded)
