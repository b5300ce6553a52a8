"""The limits of the machine: multiply-adds of 0 and 1, with int8, float32 and bits."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.roofline import peak
from memtail_core.compiled import compiled, ones
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.estimation.influence.counter import Tile
from memtail_core.running.machine import usable_cores
from memtail_core.training.device import computing_on

_EDGES = (64, 1024, 4096)  # of int8 products; the fastest one differs between machines
_LONGEST = 0.5  # seconds of one product; without int8 instructions a large one takes minutes
_INNER = 2048  # about as many as trials
_ROUNDS = 3
_SECONDS = 0.2  # of each measurement
_WORDS = 512  # of 64 bits: 4 KiB, well within the first cache
_REPEATS = 20_000
_TILE = 2048  # rows and columns for timing the kernel alone


@dataclass(frozen=True)
class Limits:
    """Multiply-adds per second on all cores; for bits, one AND and its share of a count is one.

    Attributes:
        int8, float32: of large matrix products. Without int8 instructions int8 products are slower
            than float32 ones, which then count for both.
        bits: of AND, population count and addition alone, on data in registers or the first cache.
        kernel: of our loop over pairs, comparing each with a threshold that none reaches.
    """

    int8: float
    float32: float
    bits: float
    kernel: float


def limits() -> Limits:
    """Measure them in turn, several times, because other load on the machine varies."""
    rounds = [(_int8(), _bits(), _kernel()) for _ in range(_ROUNDS)]
    int8, bits, kernel = (max(each) for each in zip(*rounds, strict=True))
    float32 = peak("float32", "cpu", usable_cores()) / 2
    return Limits(max(int8, float32), float32, bits, kernel)


def _best(work: float, do: Callable[[], object]) -> float:
    """Return the highest rate of repeated runs, after a first one that is not counted."""
    do()
    fastest, end = np.inf, time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        do()
        fastest = min(fastest, time.perf_counter() - start)
    return float(work / fastest)


def _int8() -> float:
    import torch

    rates: list[float] = []
    with computing_on(usable_cores()):
        for edge in _EDGES:
            if rates and edge * edge * _INNER > _LONGEST * max(rates):
                break
            left, right = (torch.randint(0, 2, (edge, _INNER), dtype=torch.int8) for _ in range(2))
            for turned in (right.T, right.T.contiguous()):
                product = partial(torch._int_mm, left, turned)
                rates.append(_best(edge * edge * _INNER, product))
    return max(rates)


def _bits() -> float:
    words = np.random.default_rng(0).integers(2**63, size=_WORDS, dtype=np.uint64)
    threads = usable_cores()
    with ThreadPoolExecutor(threads) as pool:

        def everywhere() -> None:
            for done in [pool.submit(_and_count, words, _REPEATS) for _ in range(threads)]:
                done.result()

        return _best(threads * _REPEATS * _WORDS * 4 * 64, everywhere)


@compiled
def _and_count(words: NDArray[np.uint64], repeats: int) -> int:
    """Combine each word with four others: one load for four products, no store."""
    a, b, c, d = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    p, q, r, s = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for _ in range(repeats):
        for j in range(len(words)):
            p += ones(a & words[j])
            q += ones(b & words[j])
            r += ones(c & words[j])
            s += ones(d & words[j])
        a, b, c, d = b, c, d, a + p  # so that repetitions differ
    return int(p + q + r + s)


def _kernel() -> float:
    engine = BitCounter(usable_cores())
    rng = np.random.default_rng(0)
    words = rng.integers(2**63, size=(_TILE, _INNER // 64), dtype=np.uint64)
    tile = Tile(
        rows=words,
        columns=engine.load(words),
        n_columns=_TILE,
        least=np.full((1, _TILE), 2**30),
        least_of=np.zeros(_TILE, np.int64),
        slope=np.ones(_TILE),
        offset=np.ones(_TILE),
        totals=np.ones(_TILE),
        n_bins=0,
    )
    with ThreadPoolExecutor(engine.threads) as pool:

        def everywhere() -> None:
            for done in [pool.submit(engine.scan, tile) for _ in range(engine.threads)]:
                done.result()

        return _best(engine.threads * _TILE * _TILE * _INNER, everywhere)
