"""The dense matrix, or a block of it: only when asked for, and to disk as it is made."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.counter import PairCounter
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.scan import Progress

_PAIRS = 2**22  # at a time: some dozens of MB


@dataclass(frozen=True, eq=False)
class Influence:
    """Estimates for a block of rows × columns, NaN where a row's example was never in or out.

    Attributes:
        influence, standard_error: float64 [R, C].
    """

    influence: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def influence(
    evidence: Evidence,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    *,
    counter: PairCounter,
) -> Influence:
    """Estimate the influence of training examples ``rows`` on test examples ``columns``.

    Held in memory; int64 [R] and [C].
    """
    counts = counter.counts(
        evidence.members.words[rows], counter.load(evidence.correct.words[columns]), len(columns)
    )
    return Influence(*evidence.estimate(counts, rows[:, None], columns[None, :]))


def write_matrix(
    path: Path,
    evidence: Evidence,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    *,
    counter: PairCounter,
    progress: Progress | None = None,
) -> None:
    """Write the influence of ``rows`` on ``columns`` as float32 [R, C], NaN where missing.

    A ``.npy`` file that ``numpy.load(path, mmap_mode="r")`` opens without reading it. It has its
    name only once it is complete.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    shape = (len(rows), len(columns))
    try:
        matrix = np.lib.format.open_memmap(unfinished, "w+", np.dtype(np.float32), shape)
        loaded = counter.load(evidence.correct.words[columns])
        step = max(1, _PAIRS // max(1, len(columns)))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            counts = counter.counts(evidence.members.words[part], loaded, len(columns))
            values, _ = evidence.estimate(counts, part[:, None], columns[None, :])
            matrix[start : start + step] = values
            if progress is not None:
                progress(values.size)
        matrix.flush()
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
