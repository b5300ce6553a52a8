"""Counting on the CPU: bits with bits, every core."""

from concurrent.futures import ThreadPoolExecutor

import loky
import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence import kernels
from memtail_core.estimation.influence.counter import Hits, Ranking, Tile, Words, joined

_ROOM = 2**18  # hits listed before they are fetched


class BitCounter:
    """Counts bits with bits on every core: see :mod:`memtail_core.estimation.influence.kernels`."""

    name = "bits on the CPU"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or int(loky.cpu_count())

    def load(self, words: Words) -> Words:
        """Return blocks of columns, uint64 [⌈C/256⌉, W, 256]."""
        blocks = np.zeros(
            (-(-len(words) // kernels.COLUMNS), words.shape[1], kernels.COLUMNS), np.uint64
        )
        for b, block in enumerate(blocks):
            part = words[b * kernels.COLUMNS : (b + 1) * kernels.COLUMNS]
            block[:, : len(part)] = part.T
        return blocks

    def scan(self, tile: Tile) -> Hits:
        """See :class:`~memtail_core.estimation.influence.counter.PairCounter`."""
        rows = _padded(tile.rows)
        room = tuple(np.empty(_ROOM, np.int32) for _ in range(3))
        parts: list[Hits] = []
        at = 0
        while at >= 0:
            tally = np.zeros(tile.n_bins, np.int64)
            found, at = kernels.exceeding(
                rows,
                len(tile.rows),
                tile.columns,
                tile.n_columns,
                tile.least,
                tile.least_of,
                tile.slope,
                tile.offset,
                tile.totals,
                tally,
                at,
                *room,
            )
            row, column, count = (each[:found].astype(np.int64) for each in room)
            parts.append(Hits(row, column, count, tally))
        return joined(parts)

    def rank(self, ranking: Ranking) -> None:
        """See :class:`~memtail_core.estimation.influence.counter.PairCounter`."""
        step = max(1, -(-len(ranking.rows) // self.threads))
        with ThreadPoolExecutor(self.threads) as threads:
            starts = range(0, len(ranking.rows), step)
            for done in [threads.submit(_rank, ranking, slice(s, s + step)) for s in starts]:
                done.result()

    def counts(self, rows: Words, columns: Words, n_columns: int) -> NDArray[np.int32]:
        """See :class:`~memtail_core.estimation.influence.counter.PairCounter`."""
        counts = np.empty((len(rows), n_columns), np.int32)
        kernels.count_all(_padded(rows), len(rows), columns, n_columns, counts)
        return counts


def _rank(ranking: Ranking, part: slice) -> None:
    rows = ranking.rows[part]
    kernels.rank(
        _padded(rows),
        len(rows),
        ranking.columns,
        ranking.indices,
        ranking.trials,
        ranking.row_totals[part],
        ranking.column_totals,
        ranking.scales,
        ranking.best[part],
        ranking.partner[part],
        ranking.count[part],
    )


def _padded(rows: Words) -> Words:
    return np.pad(rows, ((0, -len(rows) % kernels.ROWS), (0, 0)))
