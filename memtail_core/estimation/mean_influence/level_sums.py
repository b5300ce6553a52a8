"""Sums of levels over the trials that trained on an example: table look-ups instead of products.

The subsets are bits, so the trials come eight at a time (Arlazarov, Dinic, Kronrod & Faradžev 1970,
"the four Russians"): for each eight, and 32 test examples, a table has the sums of the levels of
each of the 256 subsets of them. A training example then adds one row of each table: 8 × 32 products
are an addition of 32 numbers, in 16 bits. After 256 trials they are added up in 32.
"""

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import ROW, add_rows, compiled, set_row

COLUMNS = ROW // 2
"""Test examples at a time."""

_TRIALS = 32  # of one pass over the training examples: four tables, which stay in the nearest cache
_NARROW = 8  # passes after which sums leave 16 bits: 8 × 32 × 127 < 2¹⁵

Sums = NDArray[np.int32]


@compiled
def level_sums(words: NDArray[np.uint64], levels: NDArray[np.int8], sums: Sums) -> None:
    """Fill the sums of levels over the trials with each training example.

    Args:
        words: uint64 [W, R], which trials trained on R training examples, as the columns of
            :class:`~memtail_core.estimation.influence.bits.Bits`.
        levels: int8 [at most 32, 64 W], −127 … 127, of test examples at the trials' places.
        sums: int32 [R, 32], filled; 0 beyond the test examples.
    """
    tables = np.empty((4 * 256, COLUMNS), np.int16)
    turned = np.zeros((_TRIALS, COLUMNS), np.int16)
    narrow = np.zeros((len(sums), COLUMNS), np.int16)
    sums[:] = 0
    passes = 2 * len(words)
    for half in range(passes):
        for c in range(len(levels)):
            for k in range(_TRIALS):
                turned[k, c] = levels[c, _TRIALS * half + k]
        _tabulate(turned, tables)
        members, shift = words[half >> 1], np.uint64(_TRIALS * (half & 1))
        for r in range(len(members)):
            add_rows(narrow, r, tables, members[r] >> shift)
        if half % _NARROW == _NARROW - 1 or half == passes - 1:
            _widen(narrow.reshape(-1), sums.reshape(-1))


@compiled
def _tabulate(turned: NDArray[np.int16], tables: NDArray[np.int16]) -> None:
    """Fill [4 · 256, 32]: row 256 g + b has the sums of the trials that byte b of eight names.

    The first of eight trials is the highest bit.
    """
    for g in range(4):
        tables[256 * g] = 0
        for bit in range(8):
            trial = 8 * g + 7 - bit
            first = 256 * g
            for b in range(first, first + (1 << bit)):
                set_row(tables, b + (1 << bit), b, turned, trial)


@compiled
def _widen(narrow: NDArray[np.int16], sums: Sums) -> None:
    for i in range(len(sums)):
        sums[i] += np.int32(narrow[i])
    narrow[:] = 0
