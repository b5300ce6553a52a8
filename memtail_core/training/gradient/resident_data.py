"""A dataset resident on the device, as ready for the network as memory allows."""

import numpy as np
import torch
from torch import Tensor

from memtail_core.data import Dataset, Examples
from memtail_core.data.moments import moments
from memtail_core.training.gradient.augmentation import augmented
from memtail_core.training.gradient.batches import Batch

READY_BYTES = 2**28  # inputs up to this are made once; of more, pixels stay bytes until needed
_ROWS = 1024  # handled at once, so that a dataset of bytes is never held as floats


class ResidentData:
    """Training and test examples as tensors, a row each.

    Attributes:
        dataset, device, dtype: where they come from, where they are, what networks compute in.
        shape: of one input of a network, as the modality feeds it: (channels, height, width) of
            images.
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
        self._feed = dataset.feed
        self._is_numeric = self._feed.divisor is not None
        scale = 1 / (self._feed.divisor or 1)
        mean, deviation = np.zeros(dataset.shape[-1]), np.ones(dataset.shape[-1])
        if standardize and self._is_numeric:
            # One fixed preprocessing for all trials: over the whole training set.
            mean, deviation = moments(dataset.train)
            mean, deviation = mean * scale, np.where(deviation == 0, 1.0, deviation * scale)
        # As long as a row: a broadcast over three channels would be a loop of three.
        repeats = int(np.prod(dataset.shape[:-1]))
        self._scale = torch.from_numpy(np.tile(scale / deviation, repeats)).float().to(device)
        self._offset = torch.from_numpy(np.tile(-mean / deviation, repeats)).float().to(device)
        self.y_train = torch.from_numpy(dataset.y_train).to(device)
        self.y_test = torch.from_numpy(dataset.y_test).to(device)
        values = dataset.train.size + dataset.test.size
        self._is_ready = values * dtype.itemsize <= READY_BYTES
        self.x_train, self.x_test = self._rows(dataset.train), self._rows(dataset.test)
        self._view = dataset.shape
        self.shape = self._feed.shape

    def _rows(self, examples: Examples) -> Tensor:
        rows = torch.from_numpy(examples.whole()).flatten(1).to(self.device)
        return torch.cat([self._scaled(r) for r in rows.split(_ROWS)]) if self._is_ready else rows

    def _scaled(self, rows: Tensor) -> Tensor:
        if not self._is_numeric:
            return rows.long()
        return torch.addcmul(self._offset, rows.float(), self._scale).to(self.dtype)

    def inputs(self, rows: Tensor) -> Tensor:
        """Turn rows [N, …] into a network's inputs [N, *shape], of the dtype it computes in.

        Images lie in memory as [N, h, w, c]: channels last, at no cost.
        """
        x = rows if self._is_ready else self._scaled(rows)
        return x.view(-1, *self._view).permute(self._feed.order)

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
