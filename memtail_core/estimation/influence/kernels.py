"""The loops over every pair: count, compare, tally, and forget.

Bits are multiplied as bits: 64 products are one AND, their sum one population count. With AVX-512
that is 512 products in three instructions; int8 arithmetic does 64 in one. Counts of 4 × 256 pairs
are made at a time, and looked at while they are in the nearest cache.
"""

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled, ones
from memtail_core.estimation.intervals import SLACK

ROWS, COLUMNS = 4, 256
"""Pairs counted at a time."""

Words = NDArray[np.uint64]
Counts = NDArray[np.int64]


@compiled
def _count(rows: Words, first: int, block: Words, counts: Counts) -> None:
    """Fill counts [4, 256] of rows [first:first + 4] and a block [W, 256] of columns."""
    counts[:] = 0
    k0, k1, k2, k3 = counts[0], counts[1], counts[2], counts[3]
    for w in range(0, rows.shape[1], 4):
        a0, a1, a2, a3 = rows[first, w], rows[first, w + 1], rows[first, w + 2], rows[first, w + 3]
        second = first + 1
        b0, b1 = rows[second, w], rows[second, w + 1]
        b2, b3 = rows[second, w + 2], rows[second, w + 3]
        third = first + 2
        c0, c1, c2, c3 = rows[third, w], rows[third, w + 1], rows[third, w + 2], rows[third, w + 3]
        fourth = first + 3
        d0, d1 = rows[fourth, w], rows[fourth, w + 1]
        d2, d3 = rows[fourth, w + 2], rows[fourth, w + 3]
        for j in range(COLUMNS):
            x0, x1, x2, x3 = block[w, j], block[w + 1, j], block[w + 2, j], block[w + 3, j]
            k0[j] += ones(a0 & x0) + ones(a1 & x1) + ones(a2 & x2) + ones(a3 & x3)
            k1[j] += ones(b0 & x0) + ones(b1 & x1) + ones(b2 & x2) + ones(b3 & x3)
            k2[j] += ones(c0 & x0) + ones(c1 & x1) + ones(c2 & x2) + ones(c3 & x3)
            k3[j] += ones(d0 & x0) + ones(d1 & x1) + ones(d2 & x2) + ones(d3 & x3)


@compiled
def exceeding(
    rows: Words,
    n_rows: int,
    blocks: Words,
    n_columns: int,
    least: Counts,
    least_of: Counts,
    slope: NDArray[np.float64],
    offset: NDArray[np.float64],
    totals: NDArray[np.float64],
    tally: Counts,
    start: int,
    found_row: NDArray[np.int32],
    found_column: NDArray[np.int32],
    found_count: NDArray[np.int32],
) -> tuple[int, int]:
    """List the pairs whose count is at least what it has to be; tally the values of all.

    Args:
        rows: [R', W] with R' a multiple of 4; those from ``n_rows`` on are padding.
        blocks: [B, W, 256], the columns, 256 at a time: rows of a wider matrix would lie a power
            of two apart, and evict each other from the cache. Those from ``n_columns`` on are
            padding.
        least: [S, C]; row r is compared with ``least[least_of[r]]``.
        slope, offset, totals, tally: the value slope[r] x − offset[r] totals[c] of each count x is
            tallied in one of len(tally) equal bins over [−1, 1]; none if there are no bins.
        start: where to go on.
        found_row, found_column, found_count: filled; when there could be too little room left for
            what comes next, the call returns.

    Returns:
        How many were found, and where to go on: −1 at the end.
    """
    counts = np.empty((ROWS, COLUMNS), np.int64)
    strips = len(rows) // ROWS
    n_bins = len(tally)
    per_bin, last = n_bins / 2, n_bins - 1.0
    bins = np.empty(COLUMNS, np.int32)
    # neighbours often fall into one bin: four tallies do not wait for each other
    tallies = np.zeros((4, n_bins), np.int64)
    found = 0
    for at in range(start, strips * len(blocks)):
        if found + ROWS * COLUMNS > len(found_row):
            tally += tallies.sum(axis=0)
            return found, at
        first, left = (at % strips) * ROWS, (at // strips) * COLUMNS
        width = min(COLUMNS, n_columns - left)
        _count(rows, first, blocks[at // strips], counts)
        for r in range(first, min(first + ROWS, n_rows)):
            count, floor = counts[r - first], least[least_of[r], left : left + width]
            some = False
            for j in range(width):
                some |= count[j] >= floor[j]
            if some:
                for j in range(width):
                    if count[j] >= floor[j]:
                        found_row[found], found_column[found] = r, left + j
                        found_count[found] = count[j]
                        found += 1
            if n_bins:
                a, b, total = slope[r], offset[r], totals[left : left + width]
                for j in range(width):
                    value = a * count[j] - b * total[j] + (1.0 + SLACK)
                    bins[j] = np.int32(min(value * per_bin, last))
                for j in range(width):
                    tallies[j & 3, bins[j]] += 1
    tally += tallies.sum(axis=0)
    return found, -1


@compiled
def count_all(
    rows: Words, n_rows: int, blocks: Words, n_columns: int, counts: NDArray[np.int32]
) -> None:
    """Fill counts [n_rows, n_columns] with every count."""
    strip = np.empty((ROWS, COLUMNS), np.int64)
    for left in range(0, n_columns, COLUMNS):
        for first in range(0, len(rows), ROWS):
            _count(rows, first, blocks[left // COLUMNS], strip)
            for r in range(first, min(first + ROWS, n_rows)):
                for j in range(min(COLUMNS, n_columns - left)):
                    counts[r, left + j] = strip[r - first, j]


@compiled
def rank(
    rows: Words,
    n_rows: int,
    blocks: Words,
    indices: Counts,
    trials: int,
    row_totals: Counts,
    column_totals: Counts,
    scales: NDArray[np.float64],
    best: NDArray[np.float64],
    partner: Counts,
    count: Counts,
) -> None:
    """Keep the largest (trials × count − row total × column total) / scale of each row.

    Args:
        rows, blocks: as above; C = len(indices) columns.
        indices, column_totals, scales: [C], what a column is called, its total, its scale.
        row_totals: [n_rows].
        best, partner, count: [n_rows, k], what is kept, strongest first; of equals the lower index.
    """
    counts = np.empty((ROWS, COLUMNS), np.int64)
    k = best.shape[1]
    for block in range(len(blocks)):
        left = block * COLUMNS
        width = min(COLUMNS, len(indices) - left)
        total, scale = column_totals[left : left + width], scales[left : left + width]
        weight = 1 / scale
        for first in range(0, len(rows), ROWS):
            _count(rows, first, blocks[block], counts)
            for r in range(first, min(first + ROWS, n_rows)):
                here, mine = counts[r - first], row_totals[r]
                # a product is quick and may be off by its rounding, a quotient is the same for
                # equal fractions
                last = best[r, k - 1]
                last -= 1e-12 * abs(last)
                some = False
                for j in range(width):
                    some |= np.float64(trials * here[j] - mine * total[j]) * weight[j] > last
                if not some:
                    continue
                for j in range(width):
                    value = np.float64(trials * here[j] - mine * total[j]) / scale[j]
                    if value <= best[r, k - 1]:
                        continue
                    at = k - 1
                    while at > 0 and value > best[r, at - 1]:
                        best[r, at], partner[r, at] = best[r, at - 1], partner[r, at - 1]
                        count[r, at] = count[r, at - 1]
                        at -= 1
                    best[r, at], partner[r, at], count[r, at] = value, indices[left + j], here[j]
