"""Two ways to add trials: count everything again from bits, or add to counts on disk.

The counts on disk are int16, one per pair. Each way starts with a cold file cache. The second only
updates the counts, while the first also finds the pairs.
"""

import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.at_scale.data import Data, sample
from benchmarks.at_scale.sides import Answer, Phases, Question
from benchmarks.memory import own_peak
from memtail_core.estimation.influence import Engine, Evidence, engine_for

_PAIRS = 2**22  # at a time
_COUNTS = "counts"


def keep(question: Question, trials: int) -> None:
    """Write the counts of the first trials into the folder of the data."""
    data = Data.read(question.folder)
    path = question.folder / _COUNTS
    path.write_bytes(bytes(2 * len(data.y_train) * len(data.y_test)))
    _add(data, slice(trials), path, engine_for(question.device), Phases())


def forget(folder: Path) -> None:
    """Drop the file cache of the system."""
    for path in folder.iterdir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def update(question: Question, trials: int) -> Answer:
    """Add the counts of the remaining trials to those on disk."""
    start = time.perf_counter()
    engine = engine_for(question.device)
    keep(Question(**{**vars(question), "folder": question.small}), 1)
    warm_up = time.perf_counter() - start
    phases = Phases()
    path = question.folder / _COUNTS
    with phases.timed("reading_bits"):
        data = Data.read(question.folder)
    _add(data, slice(trials, None), path, engine, phases)
    peak_bytes = own_peak()
    none = np.zeros(0, np.int64)
    shape = (len(data.y_train), len(data.y_test))
    rows, columns = sample(shape)
    kept = np.memmap(path, np.int16, "r", shape=shape)
    return Answer(
        train=none,
        test=none,
        in_correct=none,
        tally=none,
        sampled=kept[np.ix_(rows, columns)].astype(np.int64),
        tested=kept.size,
        seconds=phases.seconds,
        warm_up=warm_up,
        cpu=phases.cpu,
        peak_bytes=peak_bytes,
    )


def _add(data: Data, trials: slice, path: Path, engine: Engine, phases: Phases) -> None:
    n, n_test = len(data.y_train), len(data.y_test)
    with phases.timed("transposing"):
        evidence = Evidence.of(data.subset[trials], data.test_correct[trials], n, n_test)
        columns = engine.load(evidence.correct.words)
    step = max(1, _PAIRS // n_test)
    room = np.empty((step, n_test), np.int16)
    with path.open("r+b", buffering=0) as file:
        for start in range(0, n, step):
            kept: NDArray[np.int16] = room[: n - start]
            with phases.timed("reading_counts"):
                file.seek(2 * start * n_test)
                _whole(kept.nbytes, file.readinto(kept.data))
            with phases.timed("counting"):
                words = evidence.members.words[start : start + step]
                counts = engine.counts(words, columns, n_test)
            with phases.timed("adding"):
                kept += counts.astype(np.int16)
            with phases.timed("writing_counts"):
                file.seek(2 * start * n_test)
                _whole(kept.nbytes, file.write(kept.data))
        with phases.timed("writing_counts"):
            os.fsync(file.fileno())


def _whole(expected: int, transferred: int | None) -> None:
    if transferred != expected:
        raise OSError(f"{transferred} of {expected} bytes")
