"""Images compared whatever their brightness, at the shift at which they agree best.

The magnitude of a Fourier transform does not change when an image is shifted, so the nearest in it
are candidates. Their cross-correlation, by a transform too, finds the shift.
"""

import torch
from torch import Tensor
from torch.nn import functional

from memtail_core.data.examples import Examples
from memtail_core.data.modalities.comparison import Comparable, Comparison

_LARGEST_SIDE = 32  # pixels; larger images are shrunk
_ROWS = 256  # transformed at once


class BestShift(Comparison):
    """‖a − b‖ of images of unit length at the best shift; brightness does not count."""

    def prepared(
        self, train: Examples, test: Examples, device: str
    ) -> tuple[Comparable, Comparable]:
        """See :class:`~memtail_core.data.modalities.comparison.Comparison`."""
        return _comparable(train, device), _comparable(test, device)

    def distances(self, one: Tensor, others: Tensor) -> Tensor:
        """See :class:`~memtail_core.data.modalities.comparison.Comparison`."""
        size = [2 * side for side in one.shape[2:]]  # room to shift into
        spectrum = torch.fft.rfft2(one, s=size)[:, None]
        product = (spectrum * torch.fft.rfft2(others, s=size).conj()).sum(2)
        agreement = torch.fft.irfft2(product, s=size).flatten(2).amax(2)
        apart: Tensor = (2 - 2 * agreement).clamp(min=0).sqrt()
        return apart


def _comparable(examples: Examples, device: str) -> Comparable:
    chunks = (torch.from_numpy(chunk).to(device) for chunk in examples.chunks())
    rows = torch.cat([_unit_images(chunk) for chunk in chunks])
    spectra = [torch.fft.rfft2(part).abs().sqrt().flatten(1) for part in rows.split(_ROWS)]
    return Comparable(functional.normalize(torch.cat(spectra)), rows)


def _unit_images(x: Tensor) -> Tensor:
    """Turn images uint8 [n, h, w, c] into float32 [n, c, h, w] of unit length, shrunk."""
    images = x.permute(0, 3, 1, 2).float()
    side = max(images.shape[2:])
    if side > _LARGEST_SIDE:
        size = [max(1, s * _LARGEST_SIDE // side) for s in images.shape[2:]]
        images = functional.interpolate(images, size, mode="area")
    lengths = images.flatten(1).norm(dim=1).clamp(min=1e-6)
    unit: Tensor = images / lengths[:, None, None, None]
    return unit
