"""Near-duplicates: the same thing twice, shifted, brighter or noisier, in training or test set.

A dataset has no natural scale of likeness: two trousers may be nearer to each other than two noisy
copies of one dress. So an example's nearest neighbour is its near-duplicate if it is much nearer
than the second nearest (the ratio test of Lowe, "Distinctive image features", IJCV 2004). How much
is chance is known: where examples lie evenly around it in d dimensions, the ratio of the two
distances is below r with probability r^d. Most examples have no duplicate, so d is read off the
median ratio, and the false discovery rate is held at 5% (Benjamini & Hochberg 1995). Examples that
hardly differ at all are duplicates anyway.

Images are compared at the shift at which they agree best. The magnitude of a Fourier transform does
not change when an image is shifted, so the nearest in it are candidates; their cross-correlation,
by a transform too, finds the shift. Tables are compared by their standardized columns.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.nn import functional

from memtail_core.data import Dataset

_FALSE = 0.05  # of the near-duplicates, expected at the most
_SAME = 1e-3  # alike but for rounding
_CANDIDATES = 10
_LARGEST_SIDE = 32  # pixels; larger images are shrunk
_ROWS = 256  # compared at once


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest neighbour of each of n examples in one set.

    Attributes:
        partner: int64 [n], its index in that set.
        distance: float32 [n], ‖a − b‖ of images of unit length at the best shift, so that
            brightness does not count; of tables, root mean square over standardized columns.
        ratio: float32 [n], to the distance of the second nearest.
    """

    partner: NDArray[np.int64]
    distance: NDArray[np.float32]
    ratio: NDArray[np.float32]

    @property
    def dimension(self) -> float:
        """In which examples lie around each other: half of the ratios r have r^d < ½."""
        middle = float(np.median(self.ratio))
        return float(np.log(0.5) / np.log(middle)) if 0 < middle < 1 else 0.0

    @property
    def p_value(self) -> NDArray[np.float64]:
        """How often chance gives as small a ratio, float64 [n]."""
        return self.ratio.astype(np.float64) ** self.dimension

    @property
    def is_duplicate(self) -> NDArray[np.bool_]:
        """Whether the neighbour is a near-duplicate, bool [n]."""
        significant = stats.false_discovery_control(self.p_value) <= _FALSE
        return np.asarray(significant | (self.distance < _SAME))


def within_training_set(dataset: Dataset, device: str = "cpu") -> Nearest:
    """Find each training example's nearest other training example."""
    train, _ = _prepared(dataset, device)
    return _nearest(train, train, is_same_set=True)


def in_test_set(
    dataset: Dataset, device: str = "cpu", rows: NDArray[np.int64] | None = None
) -> Nearest:
    """Find each training example's nearest test example; only of ``rows``, if given."""
    return _nearest(*_prepared(dataset, device, rows), is_same_set=False)


@dataclass(frozen=True)
class _Prepared:
    """Examples ready to be compared: unit descriptors, and what the comparison needs.

    Attributes:
        descriptors: float32 [n, d], of unit length.
        rows: images [n, c, h, w] of unit length, or features [n, d].
    """

    descriptors: Tensor
    rows: Tensor


def _prepared(
    dataset: Dataset, device: str, rows: NDArray[np.int64] | None = None
) -> tuple[_Prepared, _Prepared]:
    x_train = dataset.train.whole() if rows is None else dataset.train.take(rows)
    x_test = dataset.test.whole()
    if dataset.kind == "images":
        return _images(x_train, device), _images(x_test, device)
    train, test = (torch.from_numpy(x).to(device) for x in (x_train, x_test))
    mean, deviation = train.mean(0), train.std(0, correction=0)
    deviation = torch.where(deviation == 0, 1.0, deviation)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    return _Prepared(train, train), _Prepared(test, test)


def _images(x: NDArray[np.uint8], device: str) -> _Prepared:
    parts = [_image_rows(torch.from_numpy(rows).to(device)) for rows in np.array_split(x, 64)]
    rows = torch.cat([part for part in parts if len(part)])
    spectra = [torch.fft.rfft2(part).abs().sqrt().flatten(1) for part in rows.split(_ROWS)]
    return _Prepared(functional.normalize(torch.cat(spectra)), rows)


def _image_rows(x: Tensor) -> Tensor:
    images = x.permute(0, 3, 1, 2).float()
    side = max(images.shape[2:])
    if side > _LARGEST_SIDE:
        size = [max(1, s * _LARGEST_SIDE // side) for s in images.shape[2:]]
        images = functional.interpolate(images, size, mode="area")
    lengths = images.flatten(1).norm(dim=1).clamp(min=1e-6)
    unit: Tensor = images / lengths[:, None, None, None]
    return unit


def _nearest(queries: _Prepared, among: _Prepared, *, is_same_set: bool) -> Nearest:
    n, k = len(queries.rows), min(_CANDIDATES, len(among.rows) - is_same_set)
    partner = np.zeros(n, np.int64)
    distance, ratio = np.full(n, np.inf, np.float32), np.ones(n, np.float32)
    if k < 2:
        return Nearest(partner, distance, ratio)
    squares = among.descriptors.square().sum(1)
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        far = squares - 2 * queries.descriptors[rows] @ among.descriptors.T
        if is_same_set:
            own = torch.arange(start, start + len(far), device=far.device)
            far[own - start, own] = torch.inf
        candidates = far.topk(k, dim=1, largest=False).indices
        distances = _distances(queries.rows[rows], among.rows[candidates])
        best, order = distances.sort(dim=1)
        partner[rows] = candidates.gather(1, order[:, :1])[:, 0].cpu()
        distance[rows] = best[:, 0].cpu()
        ratio[rows] = (best[:, 0] / best[:, 1].clamp(min=1e-12)).cpu()
    return Nearest(partner, distance, ratio)


def _distances(one: Tensor, others: Tensor) -> Tensor:
    """Distances of rows [B, …] from their candidates [B, k, …], float32 [B, k]."""
    apart: Tensor
    if one.ndim == 2:
        apart = (one[:, None] - others).square().mean(2).sqrt()
        return apart
    size = [2 * side for side in one.shape[2:]]  # room to shift into
    spectrum = torch.fft.rfft2(one, s=size)[:, None]
    product = (spectrum * torch.fft.rfft2(others, s=size).conj()).sum(2)
    agreement = torch.fft.irfft2(product, s=size).flatten(2).amax(2)
    apart = (2 - 2 * agreement).clamp(min=0).sqrt()  # of images of unit length
    return apart
