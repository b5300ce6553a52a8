"""The training examples nearest to others, by Euclidean distance between embeddings.

:class:`Space` is what the report and calibrated influence use: inputs standardized over the
training set and projected on its principal components, with exact neighbours among these. The
functions :func:`vectors`, :func:`standardized`, :func:`principal` and :func:`nearest` serve those
who compare in another way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from memtail_core.data.dataset import Dataset
from memtail_core.data.examples import Examples
from memtail_core.data.moments import moments
from memtail_core.errors import DatasetError

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

_COMPONENTS = 64
_FITTED = 4096  # training examples, evenly spread, that moments and components are computed from
_LARGEST_SIDE = 32  # pixels; larger images are shrunk
_SPARE = 8  # candidates beyond those asked for, so that of equally near ones the first are taken
_ROWS = 4096  # embedded, and searched for, at once

Indices = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k training examples nearest to each of Q examples, the nearest first.

    Attributes:
        index: int64 [Q, k]; −1 where there are fewer.
        distance: float [Q, k], ‖a − b‖; NaN where there is none.
    """

    index: Indices
    distance: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Space:
    """A dataset's examples as points; build it with :meth:`of`.

    Attributes:
        train, test: float32 [n, p] and [n_test, p], p ≤ 64, scaled so that ‖a − b‖ is the root mean
            square difference of the d standardized inputs, as far as the components keep it.
    """

    train: Floats
    test: Floats

    @classmethod
    def of(cls, dataset: Dataset) -> "Space":
        """Standardize and project every example; those of which nothing is known have p = 0."""
        n = len(dataset.train)
        if not dataset.is_shown:
            return cls(*(np.zeros((len(x), 0), np.float32) for x in (dataset.train, dataset.test)))
        evenly = np.linspace(0, n - 1, min(n, _FITTED)).round().astype(np.int64)
        embed = dataset.modality.embedding(dataset.train)
        sample = _shrunk(dataset.train.selected(evenly), embed)
        places, d = sample.shape[1], sample[0].size
        by_quantity = sample.reshape(-1, sample.shape[2])
        mean = by_quantity.mean(axis=0, dtype=np.float64)
        deviation = by_quantity.std(axis=0, dtype=np.float64)
        deviation[deviation == 0] = 1
        shift = np.tile(mean, places).astype(np.float32)
        scale = (np.tile(1 / deviation, places) / np.sqrt(d)).astype(np.float32)
        components = None
        if d > _COMPONENTS:
            kept = min(_COMPONENTS, len(sample))
            points = (sample.reshape(len(sample), d) - shift) * scale
            with _maybe_alike():
                components = _pca(kept, iterated_power=2).fit(points).components_.T

        def project(examples: Examples) -> Iterator[Floats]:
            for start in range(0, max(1, len(examples)), _ROWS):
                rows = np.arange(start, min(start + _ROWS, len(examples)))
                x = _shrunk(examples.selected(rows), embed)
                points = (x.reshape(len(x), d) - shift) * scale
                yield points if components is None else points @ components

        train, test = (np.concatenate(list(project(x))) for x in (dataset.train, dataset.test))
        return cls(train, test)

    def of_train(self, k: int, examples: Indices | None = None) -> Neighbours:
        """Find the k other training examples nearest to these training examples, or to all."""
        if examples is None:
            examples = np.arange(len(self.train))
        return _exact(self.train[examples], self.train, k, examples)

    def of_test(self, k: int, examples: Indices | None = None) -> Neighbours:
        """Find the k training examples nearest to these test examples, or to all."""
        return _exact(self.test if examples is None else self.test[examples], self.train, k)


def vectors(dataset: Dataset, *, standardize: bool = False) -> Floats:
    """Embed all training examples at their full size, float32 [n, p·c] of :class:`.Modality`.

    ``standardize``: scale each of the c quantities to mean 0 and deviation 1 over the training set.

    Raises:
        DatasetError: nothing but labels is known of the examples.
    """
    if not dataset.is_shown:
        raise DatasetError(
            "only the labels of the examples are known, which cannot be compared: import the "
            "models again with --data SOURCE"
        )
    examples = dataset.train
    embed = dataset.modality.embedding(examples)
    d = embed(examples.take([0]), None)[0].size
    need, free = 4 * d * len(examples), psutil.virtual_memory().available
    if examples.is_mapped and need > free:
        raise DatasetError(
            f"comparing all pixels of all images needs {need / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free: use another estimator or method, or a train_limit"
        )
    made = np.empty((len(examples), d), np.float32)  # filled in place: there is no second copy
    mean, deviation = (
        moments(examples, lambda x: embed(x, None)) if standardize else (np.zeros(1), np.ones(1))
    )
    shift = mean.astype(np.float32)
    scale = np.where(deviation == 0, 1, deviation).astype(np.float32)
    start = 0
    for chunk in examples.chunks():
        x = (embed(chunk, None) - shift) / scale
        made[start : start + len(x)] = x.reshape(len(x), d)
        start += len(x)
    return made


def _shrunk(examples: Examples, embed: Callable[..., Floats]) -> Floats:
    """Embed examples, a few megabytes of them at a time, shrunk."""
    return np.concatenate([embed(x, _LARGEST_SIDE) for x in examples.chunks()])


def standardized(x: Floats) -> Floats:
    """Scale each column of x [n, d] to mean 0 and deviation 1; a constant one becomes 0.

    Sums are computed in float32, as for the calibrated estimates that stores hold.
    """
    deviation = x.std(axis=0)
    scaled: Floats = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled


def principal(x: Floats, components: int) -> Floats:
    """Project vectors [n, d] on their first principal components, if there are more than these."""
    if min(x.shape) <= components:
        return x
    with _maybe_alike():
        projected: Floats = _pca(components).fit_transform(x)
    return projected


def nearest(x: Floats, k: int) -> Neighbours:
    """Find the k other rows nearest to each row of x [n, d]; all others if there are fewer.

    Distances are computed in float32. Of equally near ones any may be left out.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(k, len(x) - 1), algorithm="brute").fit(x)
    distance, index = search.kneighbors()  # without rows to look for, it leaves each one out
    return Neighbours(index, distance)


def _exact(queries: Floats, among: Floats, k: int, own: Indices | None = None) -> Neighbours:
    """Find the nearest of ``among``; ``own`` says which of them each query is itself.

    Distances are computed in float64. Of equally near ones the first are taken.
    """
    from sklearn.neighbors import NearestNeighbors

    if k < 1:
        raise ValueError(f"{k} neighbours: ask for at least one")
    index = np.full((len(queries), k), -1, np.int64)
    distance = np.full((len(queries), k), np.nan, np.float32)
    there = min(k, len(among) - (own is not None))
    if not (among.size and len(queries)):
        return Neighbours(index, distance)
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


def _maybe_alike() -> np.errstate:
    """Of points that are all the same, PCA warns: shares of a variance of 0 are no numbers."""
    return np.errstate(invalid="ignore")


def _pca(components: int, **options: int) -> "PCA":
    from sklearn.decomposition import PCA

    return PCA(components, svd_solver="randomized", random_state=0, **options)
