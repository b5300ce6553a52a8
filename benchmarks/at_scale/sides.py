"""The question and the answer of both sides of a comparison, each in its own process."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import loky
import numpy as np
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Question:
    """What to find in which data.

    Attributes:
        folder: the data; small: much smaller data, to warm up with.
        rule: consider only memorized training examples and test examples of their class, as the
            paper does; otherwise every pair.
        theta: the least influence of a listed pair.
        fdr: the largest expected share of false pairs among them; None: only theta decides.
        bins: of the histogram of all influences; 0: no histogram.
        device: where memtail counts.
    """

    folder: Path
    small: Path
    rule: bool
    theta: float
    fdr: float | None
    bins: int
    device: str


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer of one side.

    Attributes:
        train, test: int64 [P], the pairs, by training, then by test example.
        in_correct: int64 [P], the trials that trained on the one and got the other right.
        tally: int64 [bins], the number of pairs with an influence in each bin.
        sampled: int64 [R, C], ``in_correct`` of the pairs of ``data.sample``.
        tested: the number of pairs considered.
        seconds: of each phase; warm_up: seconds before the first, not included.
        cpu: seconds of all cores together, which other load on the machine hardly changes.
        peak_bytes: the peak memory of the process.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    in_correct: NDArray[np.int64]
    tally: NDArray[np.int64]
    sampled: NDArray[np.int64]
    tested: int
    seconds: dict[str, float]
    warm_up: float
    cpu: float
    peak_bytes: int

    @property
    def total(self) -> float:
        """The sum over the phases."""
        return sum(self.seconds.values())


@dataclass
class Phases:
    """Seconds by phase, and of all cores together."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time the block."""
        start, start_of_cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu += time.process_time() - start_of_cpu
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def alone(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call a function in a new process, so that its peak memory is its own."""
    with loky.ProcessPoolExecutor(1, timeout=None) as pool:
        found: R = pool.submit(function, *arguments, **named).result()
    return found


def differences(ours: Answer, theirs: Answer) -> list[str]:
    """Name the answers that differ in any pair or integer."""
    names = ("train", "test", "in_correct", "tally", "sampled")
    return [
        name for name in names if not np.array_equal(getattr(ours, name), getattr(theirs, name))
    ]
