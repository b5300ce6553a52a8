"""Rows of a dataset that stay in mapped files: gathered by threads, ahead of the training.

The copy to a GPU goes through pinned memory, on a stream of its own, while the GPU computes. The
memory is set aside once: while a training step is recorded, no thread may ask the driver for any.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.data import Examples

AHEAD = 4  # batches that are gathered before they are needed
_LARGE = 2**26  # bytes of a batch, of which only one more is read ahead
_COPIES = 2  # that may be under way
_THREADS = {"cpu": 1, "cuda": 4}  # a training process on a CPU has one core

Rows = NDArray[np.int64]


class StreamedRows:
    """Rows [n, d] that are read when they are asked for; the rest as of a tensor.

    Attributes:
        device: where they go.
        shape: (n, d).
        dtype: of a value.
    """

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self._examples, self.device = examples, device
        self.shape = len(examples), prod(examples.shape)
        self.dtype = torch.from_numpy(np.empty(0, examples.dtype)).dtype

    def __len__(self) -> int:
        """Return n."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        """Return consecutive rows, on the device."""
        wanted = np.arange(len(self))[rows]
        return next(self.gathered([wanted], len(wanted)))

    def split(self, size: int, start: int = 0) -> Iterator[Tensor]:
        """Yield all rows from ``start`` on, in order, ``size`` at a time."""
        rows = np.arange(start, len(self))
        return self.gathered(np.split(rows, range(size, len(rows), size)), size)

    def gathered(self, wanted: Iterable[Rows], most: int) -> Iterator[Tensor]:
        """Yield the rows of each of ``wanted``, on the device; the next ones are being read.

        Args:
            wanted: int64 arrays.
            most: rows that one of them may have.
        """
        is_large = most * self._examples.example_bytes > _LARGE
        ahead = 1 if is_large else AHEAD
        is_cuda = self.device.type == "cuda"
        reader = (
            _Pinned(self._examples, self.device, most, ahead) if is_cuda else _Plain(self._examples)
        )
        waiting: deque[Future[tuple[Tensor, int]]] = deque()
        threads = ThreadPoolExecutor(_THREADS[self.device.type])
        try:
            for rows in wanted:
                waiting.append(threads.submit(reader.read, rows))
                if len(waiting) > ahead:
                    yield reader.moved(waiting.popleft().result())
            while waiting:
                yield reader.moved(waiting.popleft().result())
        finally:
            reader.close()
            threads.shutdown(cancel_futures=True)


class _Plain:
    """Reads into new memory, where it stays."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def read(self, rows: Rows) -> tuple[Tensor, int]:
        """Return rows, and how many they are."""
        return torch.from_numpy(self._examples.take(rows)).flatten(1), len(rows)

    def moved(self, filled: tuple[Tensor, int]) -> Tensor:
        """They are where they should be."""
        return filled[0]

    def close(self) -> None:
        """Nothing waits."""


class _Pinned:
    """Reads into pinned buffers, which go round, and copies them on a stream of its own."""

    def __init__(self, examples: Examples, device: torch.device, most: int, ahead: int) -> None:
        self._examples, self._device = examples, device
        self._n_buffers = ahead + 1 + _COPIES  # those that are read, and those that are copied
        self._stream = torch.cuda.Stream(device)
        self._free: SimpleQueue[Tensor | None] = SimpleQueue()
        self._copied: deque[tuple[Tensor, torch.cuda.Event]] = deque()
        dtype = torch.from_numpy(np.empty(0, examples.dtype)).dtype
        for _ in range(self._n_buffers):
            self._free.put(torch.empty((most, *examples.shape), dtype=dtype, pin_memory=True))

    def read(self, rows: Rows) -> tuple[Tensor, int]:
        """Fill a buffer, as soon as one is free; return it with the number of rows in it."""
        buffer = self._free.get()
        if buffer is None:
            raise RuntimeError("nobody waits for these rows any more")
        self._examples.take_into(rows, buffer[: len(rows)].numpy())
        return buffer, len(rows)

    def moved(self, filled: tuple[Tensor, int]) -> Tensor:
        """Start the copy; what is computed from now on waits for it."""
        buffer, n = filled
        with torch.cuda.stream(self._stream):
            there = buffer[:n].to(self._device, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        current = torch.cuda.current_stream(self._device)
        current.wait_event(event)
        there.record_stream(current)
        self._copied.append((buffer, event))
        if len(self._copied) > _COPIES:
            first, copied = self._copied.popleft()
            copied.synchronize()
            self._free.put(first)
        return there.flatten(1)

    def close(self) -> None:
        """Wait for the copies, and let readers that wait for a buffer end."""
        for _, copied in self._copied:
            copied.synchronize()
        for _ in range(self._n_buffers):
            self._free.put(None)
