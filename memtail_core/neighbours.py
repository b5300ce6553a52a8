"""The training examples nearest to others, by Euclidean distance between what networks see.

Inputs are standardized over the training set, images per channel and tables per column, and
projected on the principal components of the training set. Among these, the nearest are exact.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from memtail_core.data import Dataset

_COMPONENTS = 64
_FITTED = 8192  # examples that the components are of, evenly from the training set
_LARGEST_SIDE = 32  # pixels; larger images are shrunk
_SPARE = 16  # candidates beyond those asked for: products in float32 may order near ones wrongly
_PAIRS = 2**24  # compared at once
_ROWS = 4096  # prepared at once

Indices = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k training examples nearest to each of Q examples, the nearest first.

    Attributes:
        index: int64 [Q, k]; −1 where there are fewer. Of equally near ones the first come first.
        distance: float32 [Q, k], root mean square over the d standardized inputs, ‖a − b‖ / √d, of
            what the components keep; NaN where there is none.
    """

    index: Indices
    distance: Floats


@dataclass(frozen=True, eq=False)
class Space:
    """A dataset's examples as points; build it with :meth:`of`.

    Attributes:
        train, test: float32 [n, p] and [n_test, p], p ≤ 64, scaled so that ‖a − b‖ is the distance
            of :class:`Neighbours`.
    """

    train: Floats
    test: Floats

    @classmethod
    def of(cls, dataset: Dataset) -> "Space":
        """Standardize and project every example."""
        from sklearn.decomposition import PCA

        fitted = np.unique(
            np.linspace(0, len(dataset.x_train) - 1, _FITTED).round().astype(np.int64)
        )
        mean, deviation = _spread(dataset.x_train)
        sample = _inputs(dataset.x_train[fitted], mean, deviation)
        components = None
        if sample.shape[1] > _COMPONENTS:
            kept = min(_COMPONENTS, len(sample))
            found = PCA(kept, svd_solver="randomized", random_state=0).fit(sample)
            components = found.components_.astype(np.float32).T
        parts = [
            _projected(x, mean, deviation, components) for x in (dataset.x_train, dataset.x_test)
        ]
        return cls(*parts)

    def of_train(self, k: int, examples: Indices | None = None) -> Neighbours:
        """Find the k other training examples nearest to these training examples, or to all."""
        if examples is None:
            examples = np.arange(len(self.train))
        return _nearest(self.train[examples], self.train, k, examples)

    def of_test(self, k: int, examples: Indices | None = None) -> Neighbours:
        """Find the k training examples nearest to these test examples, or to all."""
        return _nearest(self.test if examples is None else self.test[examples], self.train, k)


def _spread(x: NDArray[np.uint8] | Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation over the training set, [channels] or [columns]."""
    axes = tuple(range(x.ndim - 1))
    total = np.zeros(x.shape[-1])
    squares = np.zeros(x.shape[-1])
    for start in range(0, len(x), _ROWS):
        rows = x[start : start + _ROWS].astype(np.float64)
        total += rows.sum(axes)
        squares += np.square(rows).sum(axes)
    count = x.size // x.shape[-1]
    deviation = np.sqrt(np.maximum(squares / count - np.square(total / count), 0))
    deviation[deviation == 0] = 1
    return (total / count).astype(np.float32), deviation.astype(np.float32)


def _inputs(x: NDArray[np.uint8] | Floats, mean: Floats, deviation: Floats) -> Floats:
    """Standardized inputs, float32 [n, d]; of images, of their shrunk pixels."""
    points = (x.astype(np.float32) - mean) / deviation
    if points.ndim == 4 and max(points.shape[1:3]) > _LARGEST_SIDE:
        longest = max(points.shape[1:3])
        size = [max(1, side * _LARGEST_SIDE // longest) for side in points.shape[1:3]]
        images = torch.from_numpy(points).permute(0, 3, 1, 2)
        points = functional.interpolate(images, size, mode="area").numpy()
    return points.reshape(len(points), -1)


def _projected(
    x: NDArray[np.uint8] | Floats, mean: Floats, deviation: Floats, components: Floats | None
) -> Floats:
    parts = []
    for start in range(0, len(x), _ROWS):
        rows = _inputs(x[start : start + _ROWS], mean, deviation)
        scaled = (rows if components is None else rows @ components) / np.sqrt(rows.shape[1])
        parts.append(scaled.astype(np.float32))
    return np.concatenate(parts)


def _nearest(queries: Floats, among: Floats, k: int, own: Indices | None = None) -> Neighbours:
    """Find the nearest of ``among``; ``own`` says which of them each query is itself."""
    if k < 1:
        raise ValueError(f"{k} neighbours: ask for at least one")
    index = np.full((len(queries), k), -1, np.int64)
    distance = np.full((len(queries), k), np.nan, np.float32)
    points = torch.from_numpy(among)
    squares = points.square().sum(1)
    there = min(k, len(among) - (own is not None))
    n_candidates = min(len(among), k + _SPARE + (own is not None))
    step = max(1, _PAIRS // len(among))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        far = torch.addmm(squares, torch.from_numpy(queries[rows]), points.T, alpha=-2)
        candidates = _first(far, n_candidates)
        apart = queries[rows, None].astype(np.float64) - among[candidates]
        exact = np.sqrt(np.square(apart).sum(2))
        if own is not None:
            exact[candidates == own[rows, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :there]
        index[rows, :there] = np.take_along_axis(candidates, order, 1)
        distance[rows, :there] = np.take_along_axis(exact, order, 1)
    return Neighbours(index, distance)


def _first(far: Tensor, k: int) -> Indices:
    """The columns of the k least of each row, ascending, int64 [R, k]."""
    found = far.topk(k, dim=1, largest=False, sorted=False).indices
    return np.asarray(found.sort(dim=1).values.numpy())
