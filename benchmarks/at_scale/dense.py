"""The direct way: two dense products in float32, as in the authors' code and its ports."""

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.at_scale.data import Data, sample
from benchmarks.at_scale.sides import Answer, Phases, Question
from benchmarks.memory import own_peak

_EDGE = 1e-9  # a value this far below a threshold or an edge still counts: quotients are rounded


def look(question: Question) -> Answer:
    """Answer a question, after a small product that starts the threads of BLAS."""
    start = time.perf_counter()
    small = np.ones((512, 512), np.float32)
    small = small @ small
    warm_up = time.perf_counter() - start
    phases = Phases()
    with phases.timed("reading"):
        data = Data.read(question.folder)
        mask = _unpacked(data.subset, len(data.y_train))
        correct = _unpacked(data.test_correct, len(data.y_test))
    with phases.timed("products"):
        in_correct = mask.T @ correct
        out_correct = (1 - mask).T @ correct
    with phases.timed("dividing"), np.errstate(invalid="ignore"):
        # quotients in float64, as in the authors' code: float32 would round across edges
        n_in = mask.sum(axis=0, dtype=np.float64)
        n_out = len(mask) - n_in
        influence = in_correct / n_in[:, None] - out_correct / n_out[:, None]
    with phases.timed("pairs"):
        listed = influence >= question.theta - _EDGE
        if question.rule:
            listed &= data.y_train[:, None] == data.y_test
            listed &= np.isin(np.arange(len(data.y_train)), data.memorized)[:, None]
        train, test = np.nonzero(listed)
    tally, tested = np.zeros(0, np.int64), influence.size
    if question.bins:
        with phases.timed("histogram"):
            # the edges are moved, because moving the values would take another pass
            edges = (-1 - _EDGE, 1 - _EDGE)
            tally, _ = np.histogram(influence, question.bins, edges)
        tally[-1] += (influence[train, test] > edges[1]).sum()
    peak_bytes = own_peak()
    rows, columns = sample((len(data.y_train), len(data.y_test)))
    return Answer(
        train=train,
        test=test,
        in_correct=in_correct[train, test].astype(np.int64),
        tally=tally,
        sampled=in_correct[np.ix_(rows, columns)].astype(np.int64),
        tested=tested,
        seconds=phases.seconds,
        warm_up=warm_up,
        cpu=phases.cpu,
        peak_bytes=peak_bytes,
    )


def _unpacked(packed: NDArray[np.uint8], n: int) -> NDArray[np.float32]:
    return np.unpackbits(packed, axis=1, count=n).astype(np.float32)
