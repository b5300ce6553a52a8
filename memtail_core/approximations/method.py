"""The protocol of an approximation: scores of examples, or pairs, from a few trainings."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Block = Callable[[Indices, Indices], NDArray[np.float32]]


class Method(Protocol):
    """A cheap estimate of memorization; ``tests/approximations/contract.py`` tests each of them.

    Attributes:
        name: as in ``--method``.
        source: who proposed it.
        trains: whether it needs trainings.
        reads: what it reads of each run besides ``subset``: "curves" and names of parts.
        ends_linear: whether the networks' last layer must be linear.
    """

    name: str
    source: str
    trains: bool
    reads: tuple[str, ...]
    ends_linear: bool

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """Return a finite score for each training example, float64 [n], higher for more memorized.

        Args:
            dataset: the data.
            runs: one or more, in any order; not read unless ``trains``.
        """
        ...


class InfluenceMethod(Protocol):
    """A cheap estimate of influence, with the attributes of :class:`Method`."""

    name: str
    source: str
    trains: bool
    reads: tuple[str, ...]
    ends_linear: bool

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """Return a function that scores training × test examples: float32 [a, b]."""
        ...


@runtime_checkable
class KnowsItself(Protocol):
    """What an estimate of influence can do besides: score a training example for itself."""

    def itself(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """Return the influence of each training example on itself, float64 [n]."""
        ...


AnyMethod = Method | InfluenceMethod
