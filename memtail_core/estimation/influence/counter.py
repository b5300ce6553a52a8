"""The protocol of pair counters, and what its implementations share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Tile:
    """R training × C test examples, as a counter sees them.

    Attributes:
        rows: uint64 [R, W].
        columns: what the counter's ``load`` has made of uint64 [C, W].
        n_columns: C.
        least: int64 [S, C], least_of: int64 [R]: row r is listed at the columns where its count is
            at least least[least_of[r]].
        slope, offset: float64 [R], totals: float64 [C]; the value of a count x is
            slope[r] x − offset[r] totals[c], within [−1, 1].
        n_bins: into how many equal bins over [−1, 1] all values are tallied; 0: not at all. A
            value on an edge belongs to the upper bin, 1 to the last.
    """

    rows: Words
    columns: Any
    n_columns: int
    least: NDArray[np.int64]
    least_of: NDArray[np.int64]
    slope: NDArray[np.float64]
    offset: NDArray[np.float64]
    totals: NDArray[np.float64]
    n_bins: int


@dataclass(frozen=True, eq=False)
class Hits:
    """What was found in a tile, in any order.

    Attributes:
        row, column: int64 [P], positions in the tile; count: int64 [P].
        tally: int64 [n_bins].
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    count: NDArray[np.int64]
    tally: NDArray[np.int64]


def joined(parts: Sequence[Hits]) -> Hits:
    """Put the hits of parts of a tile together."""
    return Hits(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.column for part in parts]),
        np.concatenate([part.count for part in parts]),
        np.sum([part.tally for part in parts], axis=0, dtype=np.int64),
    )


@dataclass(frozen=True, eq=False)
class Ranking:
    """The strongest partners of R rows so far, and C more columns that could be among them.

    Attributes:
        rows: uint64 [R, W]; columns: what the counter's ``load`` has made of uint64 [C, W].
        indices: int64 [C], ascending: what the columns are called.
        trials, row_totals, column_totals, scales: int, int64 [R], int64 [C], float64 [C]; the
            strength of a count x is (trials x − row_totals[r] column_totals[c]) / scales[c].
        best, partner, count: float64, int64, int64 [R, k], changed in place: the strongest first,
            what they are called, their counts; of equals the lower index comes first.
    """

    rows: Words
    columns: Any
    indices: NDArray[np.int64]
    trials: int
    row_totals: NDArray[np.int64]
    column_totals: NDArray[np.int64]
    scales: NDArray[np.float64]
    best: NDArray[np.float64]
    partner: NDArray[np.int64]
    count: NDArray[np.int64]


class PairCounter(Protocol):
    """Counts common bits of rows and columns. All counters give the same integers."""

    name: str
    threads: int
    """How many tiles it is good at doing at the same time."""

    def load(self, words: Words) -> Any:
        """Make columns ready, uint64 [C, W]; used for many tiles."""

    def scan(self, tile: Tile) -> Hits:
        """Count all pairs of the tile, list those that reach their threshold, tally all."""

    def rank(self, ranking: Ranking) -> None:
        """Let the columns compete for each row's list."""

    def counts(self, rows: Words, columns: Any, n_columns: int) -> NDArray[np.int32]:
        """Return every count, int32 [R, C]."""
