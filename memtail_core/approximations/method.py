"""What an approximation is: a score for each example, or pair, from a handful of trainings."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Block = Callable[[Indices, Indices], NDArray[np.float32]]


class Method(Protocol):
    """A cheap stand-in for memorization. ``tests/approximations/contract.py`` tests every one.

    Attributes:
        name: what users call it.
        source: who proposed it.
        trains: whether it needs trainings at all.
        reads: what it reads of each run beside ``subset``: "curves", and names of parts.
        ends_linear: whether the networks' last layer must be linear.
    """

    name: str
    source: str
    trains: bool
    reads: tuple[str, ...]
    ends_linear: bool

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """Return a score for each training example, float64 [n], finite: the higher, the more.

        Args:
            dataset: the data.
            runs: one or more, in any order; none are looked at unless ``trains``.
        """
        ...


class InfluenceMethod(Protocol):
    """A cheap stand-in for influence; attributes as those of :class:`Method`."""

    name: str
    source: str
    trains: bool
    reads: tuple[str, ...]
    ends_linear: bool

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """Return what scores training examples [a] with test examples [b]: float32 [a, b]."""
        ...


AnyMethod = Method | InfluenceMethod
