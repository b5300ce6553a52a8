"""A dataset resident on the device, as ready for the network as memory allows."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.data import Dataset
from memtail_core.training.gradient.augmentation import augmented
from memtail_core.training.gradient.batches import Batch

READY_BYTES = 2**28  # inputs up to this are made once; of more, pixels stay bytes until needed
_ROWS = 1024  # handled at once, so that a dataset of bytes is never held as floats


class ResidentData:
    """Training and test examples as tensors, a row each.

    Attributes:
        dataset, device, dtype: where they come from, where they are, what networks compute in.
        shape: of one input of a network: (channels, height, width) or (features,).
        x_train, x_test: rows [n, h·w·c] or [n, d] for :meth:`inputs`.
        y_train, y_test: labels, int64 [n].
    """

    def __init__(
        self,
        dataset: Dataset,
        standardize: bool,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dataset, self.device, self.dtype = dataset, device, dtype
        self._is_image = dataset.kind == "images"
        scale = 1 / 255 if self._is_image else 1.0
        mean, deviation = np.zeros(dataset.shape[-1]), np.ones(dataset.shape[-1])
        if standardize:  # one fixed preprocessing for all trials: over the whole training set
            mean, deviation = moments(dataset.x_train)
            mean, deviation = mean * scale, np.where(deviation == 0, 1.0, deviation * scale)
        # As long as a row: a broadcast over three channels would be a loop of three.
        repeats = int(np.prod(dataset.shape[:-1]))
        self._scale = torch.from_numpy(np.tile(scale / deviation, repeats)).float().to(device)
        self._offset = torch.from_numpy(np.tile(-mean / deviation, repeats)).float().to(device)
        self.y_train = torch.from_numpy(dataset.y_train).to(device)
        self.y_test = torch.from_numpy(dataset.y_test).to(device)
        values = dataset.x_train.size + dataset.x_test.size
        self._is_ready = values * dtype.itemsize <= READY_BYTES
        self.x_train, self.x_test = self._rows(dataset.x_train), self._rows(dataset.x_test)
        self._view = dataset.shape
        self.shape = (
            (dataset.shape[2], *dataset.shape[:2]) if self._is_image else tuple(dataset.shape)
        )

    def _rows(self, examples: NDArray[Any]) -> Tensor:
        rows = torch.from_numpy(examples).flatten(1).to(self.device)
        return torch.cat([self._scaled(r) for r in rows.split(_ROWS)]) if self._is_ready else rows

    def _scaled(self, rows: Tensor) -> Tensor:
        return torch.addcmul(self._offset, rows.float(), self._scale).to(self.dtype)

    def inputs(self, rows: Tensor) -> Tensor:
        """Turn rows [N, …] into a network's inputs [N, *shape], of the dtype it computes in.

        Images lie in memory as [N, h, w, c]: channels last, at no cost.
        """
        x = rows if self._is_ready else self._scaled(rows)
        return x.view(-1, *self._view).permute(0, 3, 1, 2) if self._is_image else x

    def batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the inputs [K, B, *shape] and the labels, int64 [K, B], of a batch."""
        chosen = batch.examples.flatten()
        x = augmented(
            self.inputs(self.x_train.index_select(0, chosen)),
            None if batch.flips is None else batch.flips.flatten(),
            None if batch.shifts is None else batch.shifts.flatten(1),
            batch.crop,
        )
        y = self.y_train.index_select(0, chosen)
        return x.unflatten(0, batch.examples.shape), y.view(batch.examples.shape)


def moments(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation over examples (and pixels) of each channel or column, float64 [c]."""
    axes = tuple(range(x.ndim - 1))
    count = x[..., 0].size
    chunks = [x[start : start + _ROWS] for start in range(0, len(x), _ROWS)]
    mean = sum(chunk.sum(axes, dtype=np.float64) for chunk in chunks) / count
    squares = sum(np.square(chunk - mean).sum(axes) for chunk in chunks)
    return np.asarray(mean), np.sqrt(squares / count)
