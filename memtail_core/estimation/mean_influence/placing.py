"""Outcomes by test example instead of by trial: rounded to levels, or less their mean."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled

LEVELS = 255

_COLUMNS = 64  # at a time, so that what is written stays in the nearest caches

Patterns = NDArray[np.uint16]
Table = NDArray[np.float32]
Indices = NDArray[np.int64]


@compiled
def round_off(
    patterns: Patterns,
    table: Table,
    places: Indices,
    levels: NDArray[np.int8],
    counts: NDArray[np.int32],
    step: NDArray[np.float64],
) -> None:
    """Round the outcomes of each of C examples to 255 levels between its least and its largest.

    Args:
        patterns: uint16 [T, C], the patterns of their values.
        table: float32 [65536], what each pattern is worth.
        places: int64 [T], where each trial goes.
        levels: int8 [C, W'], −127 … 127, filled at the trials' places.
        counts: int32 [C, 255], how many trials are at each level: added to.
        step: float64 [C], filled: what a level is worth.
    """
    trials, columns = patterns.shape
    low, high, unit = np.empty(_COLUMNS), np.empty(_COLUMNS), np.empty(_COLUMNS)
    for left in range(0, columns, _COLUMNS):
        width = min(_COLUMNS, columns - left)
        low[:], high[:] = np.inf, -np.inf
        for t in range(trials):
            for c in range(width):
                outcome = np.float64(table[patterns[t, left + c]])
                low[c], high[c] = min(low[c], outcome), max(high[c], outcome)
        for c in range(width):
            step[left + c] = (high[c] - low[c]) / (LEVELS - 1)
            unit[c] = step[left + c] if step[left + c] > 0 else 1.0
        for t in range(trials):
            for c in range(width):
                outcome = np.float64(table[patterns[t, left + c]])
                at = min(LEVELS - 1, max(0, int(np.rint((outcome - low[c]) / unit[c]))))
                levels[left + c, places[t]] = at - LEVELS // 2
                counts[left + c, at] += 1


@compiled
def place(patterns: Patterns, table: Table, places: Indices, placed: NDArray[np.float32]) -> None:
    """Fill ``placed``, float32 [C, W'], with outcomes less the mean of each of C examples.

    The other arguments are those of :func:`round_off`.
    """
    trials, columns = patterns.shape
    mean = np.empty(_COLUMNS)
    for left in range(0, columns, _COLUMNS):
        width = min(_COLUMNS, columns - left)
        mean[:] = 0
        for t in range(trials):
            for c in range(width):
                mean[c] += np.float64(table[patterns[t, left + c]])
        mean /= trials
        for t in range(trials):
            for c in range(width):
                outcome = np.float64(table[patterns[t, left + c]])
                placed[left + c, places[t]] = outcome - mean[c]
