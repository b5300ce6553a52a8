"""A dataset on the device that trains, prepared for the network as far as memory allows."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.data import Dataset, Examples
from memtail_core.training.gradient.augmentation import augmented, centre_crop, resized_crops
from memtail_core.training.gradient.batches import Batch
from memtail_core.training.gradient.streamed_rows import StreamedRows

READY_BYTES = 2**28  # up to this, inputs are prepared once; beyond, pixels stay bytes until needed
_SHARE = 0.6  # of a GPU's memory, that examples may take
_ROWS = 1024  # prepared at once, so that a dataset of bytes is never held as floats


StoredRows = Tensor | StreamedRows  # [n, d]


class ResidentData:
    """Training and test examples as rows for networks, one row per example.

    Rows are tensors on the device where they fit there, whole; of data that are mapped, and larger
    than that, they are streamed. Either way networks see the same inputs.

    Attributes:
        dataset, device, dtype: the source, the place, and the type that networks compute in.
        shape: of one input of a network, as the modality feeds it: (channels, height, width) of
            images.
        x_train, x_test: rows [n, h·w·c] or [n, d] for :meth:`inputs`.
        y_train, y_test: labels, int64 [n].
        batch_device: where :meth:`fed` wants the batches.
    """

    def __init__(
        self,
        dataset: Dataset,
        standardize: bool,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        resized_crop: int = 0,
    ) -> None:
        self.dataset, self.device, self.dtype = dataset, device, dtype
        self._feed = dataset.feed
        self._is_numeric = self._feed.divisor is not None
        scale = 1 / (self._feed.divisor or 1)
        mean, deviation = np.zeros(dataset.shape[-1]), np.ones(dataset.shape[-1])
        if standardize and self._is_numeric:
            # One fixed preprocessing for all trials: over the whole training set.
            mean, deviation = dataset.moments
            mean, deviation = mean * scale, np.where(deviation == 0, 1.0, deviation * scale)
        # As long as a row, because broadcasting over three channels is slower.
        repeats = int(np.prod(dataset.shape[:-1]))
        self._scale = torch.from_numpy(np.tile(scale / deviation, repeats)).float().to(device)
        self._offset = torch.from_numpy(np.tile(-mean / deviation, repeats)).float().to(device)
        self.y_train = torch.from_numpy(dataset.y_train).to(device)
        self.y_test = torch.from_numpy(dataset.y_test).to(device)
        values = dataset.train.size + dataset.test.size
        self._is_ready = values * dtype.itemsize <= READY_BYTES
        self.x_train, self.x_test = self._rows(dataset.train), self._rows(dataset.test)
        is_streamed = isinstance(self.x_train, StreamedRows)
        self.batch_device = torch.device("cpu") if is_streamed else device
        self._view = dataset.shape
        self._side = resized_crop
        channels = self._feed.shape[0]
        self.shape = (channels, self._side, self._side) if self._side else self._feed.shape

    def _rows(self, examples: Examples) -> StoredRows:
        if self._is_ready or not examples.is_mapped:
            rows = torch.from_numpy(examples.whole()).flatten(1).to(self.device)
            return (
                torch.cat([self._scaled(r) for r in rows.split(_ROWS)]) if self._is_ready else rows
            )
        streamed = StreamedRows(examples, self.device)
        if not self._has_room():
            return streamed
        rows = torch.empty(streamed.shape, dtype=streamed.dtype, device=self.device)
        for some, into in zip(streamed.split(_ROWS), rows.split(_ROWS), strict=True):
            into.copy_(some)
        return rows

    def _has_room(self) -> bool:
        """Whether all examples fit on a GPU beside the networks; a CPU maps them anyway."""
        if self.device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(self.device)
        loaded = torch.cuda.memory_allocated(self.device)
        return self.dataset.nbytes <= _SHARE * (free + loaded)

    def _scaled(self, rows: Tensor) -> Tensor:
        if not self._is_numeric:
            return rows.long()
        return torch.addcmul(self._offset, rows.float(), self._scale).to(self.dtype)

    def _whole(self, rows: Tensor) -> Tensor:
        """Turn rows into inputs without a crop."""
        x = rows if self._is_ready else self._scaled(rows)
        return x.view(-1, *self._view).permute(self._feed.order)

    def inputs(self, rows: Tensor) -> Tensor:
        """Turn rows [N, …] into a network's inputs [N, *shape], of the dtype it computes in.

        Images lie in memory as [N, h, w, c]: channels last, at no cost. Of images that are larger
        than the inputs this is the middle.
        """
        x = self._whole(rows)
        return centre_crop(x, self._side) if self._side else x

    def fed(self, each: Iterable[Batch]) -> Iterator[Batch]:
        """Yield batches with all that the step needs: of streamed examples, their rows.

        Args:
            each: batches on :attr:`batch_device`.
        """
        if not isinstance(self.x_train, StreamedRows):
            yield from each
            return
        waiting: deque[Batch] = deque()
        each = iter(each)
        if (first := next(each, None)) is None:
            return

        def wanted() -> Iterator[NDArray[np.int64]]:
            for batch in chain([first], each):
                waiting.append(batch)
                yield batch.examples.flatten().numpy()

        k, b = first.examples.shape
        for pixels in self.x_train.gathered(wanted(), k * (b + 1)):  # the last may have one more
            batch = waiting.popleft()
            yield replace(batch.changed(lambda t: t.to(self.device)), pixels=pixels)

    def batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the inputs [K, B, *shape] and the labels, int64 [K, B], of a batch."""
        chosen = batch.examples.flatten()
        rows = batch.pixels
        if rows is None:
            assert isinstance(self.x_train, Tensor)  # else the batch was not fed
            rows = self.x_train.index_select(0, chosen)
        x = self._whole(rows)
        if self._side:
            boxes = None if batch.boxes is None else batch.boxes.flatten(1)
            x = centre_crop(x, self._side) if boxes is None else self._resized(x, boxes, batch.side)
        x = augmented(
            x,
            None if batch.flips is None else batch.flips.flatten(),
            None if batch.shifts is None else batch.shifts.flatten(1),
            batch.crop,
        )
        y = self.y_train.index_select(0, chosen)
        return x.unflatten(0, batch.examples.shape), y.view(batch.examples.shape)

    def _resized(self, x: Tensor, boxes: Tensor, side: int) -> Tensor:
        """Random boxes of images, in float32 also where networks compute in bfloat16."""
        crops = resized_crops(x.float(), boxes, side).to(self.dtype)
        return crops.contiguous(memory_format=torch.channels_last)
