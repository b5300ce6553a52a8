"""What both sides of a comparison are asked and answer, each in a process of its own."""

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
    """What is to be found in which data.

    Attributes:
        folder: the data; small: much smaller ones, to warm up with.
        rule: look only at memorized training examples and test examples of their class, as the
            paper does; otherwise at every pair.
        theta: least influence of a pair that is listed.
        fdr: largest expected share of false ones among them; None: theta alone decides.
        bins: of the histogram of all influences; 0: none.
        device: what ours counts on.
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
    """What was found.

    Attributes:
        train, test: int64 [P], the pairs, by training, then by test example.
        in_correct: int64 [P], how many trials trained on the one and got the other right.
        tally: int64 [bins], how many pairs of those looked at have an influence in each bin.
        sampled: int64 [R, C], the same counts of ``data.sample``.
        tested: how many pairs were looked at.
        seconds: of each phase; warm_up: seconds before the first, not among them.
        cpu: seconds of all cores together, which what else the machine does hardly changes.
        peak_bytes: all that the process ever held.
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
        """Seconds of all phases."""
        return sum(self.seconds.values())


@dataclass
class Phases:
    """Seconds by phase, and of all cores together."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time what is done within."""
        start, start_of_cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu += time.process_time() - start_of_cpu
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def alone(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call it in a fresh process, so that its peak memory is its own."""
    with loky.ProcessPoolExecutor(1, timeout=None) as pool:
        found: R = pool.submit(function, *arguments, **named).result()
    return found


def differences(ours: Answer, theirs: Answer) -> list[str]:
    """Name what the two do not agree on to the last pair and integer."""
    names = ("train", "test", "in_correct", "tally", "sampled")
    return [
        name for name in names if not np.array_equal(getattr(ours, name), getattr(theirs, name))
    ]
