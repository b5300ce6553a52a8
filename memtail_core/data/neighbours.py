"""The training examples nearest to others, by Euclidean distance between what networks see.

Inputs are standardized over the training set, images per channel and tables per column, and
projected on its principal components. Among these, the nearest are exact.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from memtail_core.data.dataset import Dataset
from memtail_core.data.examples import Examples

_COMPONENTS = 64
_FITTED = 4096  # training examples, evenly, that means, deviations and components are of
_LARGEST_SIDE = 32  # pixels; larger images are shrunk
_SPARE = 8  # candidates beyond those asked for, so that of equally near ones the first are found
_ROWS = 4096  # prepared, and looked for, at once

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

        n = len(dataset.train)
        evenly = np.linspace(0, n - 1, min(n, _FITTED)).round().astype(np.int64)
        sample = _inputs(dataset.train.take(evenly))
        by_group = sample.reshape(-1, dataset.shape[-1])  # a channel, or a column
        deviation = by_group.std(axis=0, dtype=np.float64)
        deviation[deviation == 0] = 1
        repeated = sample.shape[1] // dataset.shape[-1]
        mean = np.tile(by_group.mean(axis=0, dtype=np.float64), repeated).astype(np.float32)
        scale = (np.tile(1 / deviation, repeated) / np.sqrt(sample.shape[1])).astype(np.float32)
        components = None
        if sample.shape[1] > _COMPONENTS:
            kept = min(_COMPONENTS, len(sample))
            fitted = PCA(kept, svd_solver="randomized", iterated_power=2, random_state=0)
            components = fitted.fit((sample - mean) * scale).components_.T

        def project(examples: Examples) -> Floats:
            parts = []
            for x in examples.chunks(_ROWS):
                points = (_inputs(x) - mean) * scale
                parts.append(points if components is None else points @ components)
            return np.concatenate(parts)

        return cls(project(dataset.train), project(dataset.test))

    def of_train(self, k: int, examples: Indices | None = None) -> Neighbours:
        """Find the k other training examples nearest to these training examples, or to all."""
        if examples is None:
            examples = np.arange(len(self.train))
        return _nearest(self.train[examples], self.train, k, examples)

    def of_test(self, k: int, examples: Indices | None = None) -> Neighbours:
        """Find the k training examples nearest to these test examples, or to all."""
        return _nearest(self.test if examples is None else self.test[examples], self.train, k)


def _inputs(x: NDArray[np.uint8] | Floats) -> Floats:
    """Columns, or pixels of images shrunk to 32 a side, float32 [n, d]."""
    inputs = x.astype(np.float32)
    if inputs.ndim == 4 and (longest := max(inputs.shape[1:3])) > _LARGEST_SIDE:
        size = [max(1, side * _LARGEST_SIDE // longest) for side in inputs.shape[1:3]]
        images = torch.from_numpy(inputs).permute(0, 3, 1, 2)
        inputs = functional.interpolate(images, size, mode="area").permute(0, 2, 3, 1).numpy()
    return inputs.reshape(len(inputs), -1)


def _nearest(queries: Floats, among: Floats, k: int, own: Indices | None = None) -> Neighbours:
    """Find the nearest of ``among``; ``own`` says which of them each query is itself."""
    from sklearn.neighbors import NearestNeighbors

    if k < 1:
        raise ValueError(f"{k} neighbours: ask for at least one")
    index = np.full((len(queries), k), -1, np.int64)
    distance = np.full((len(queries), k), np.nan, np.float32)
    there = min(k, len(among) - (own is not None))
    looked_at = min(len(among), k + _SPARE + (own is not None))
    search = NearestNeighbors(n_neighbors=looked_at, algorithm="brute").fit(among)
    for start in range(0, len(queries), _ROWS):
        rows = slice(start, start + _ROWS)
        candidates = np.sort(search.kneighbors(queries[rows], return_distance=False), axis=1)
        apart = queries[rows, None].astype(np.float64) - among[candidates]
        exact = np.sqrt(np.square(apart).sum(axis=2))
        if own is not None:
            exact[candidates == own[rows, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :there]
        index[rows, :there] = np.take_along_axis(candidates, order, 1)
        distance[rows, :there] = np.take_along_axis(exact, order, 1)
    return Neighbours(index, distance)
