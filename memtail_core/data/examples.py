"""The examples of a dataset without their labels: asked for by rows, wherever they are kept.

Only ``data/`` and ``training/`` may ask for all of them at once (:meth:`Examples.whole`). Everyone
else takes the rows it needs or reads chunk by chunk, so that a dataset need not fit in memory.
``tests/data/examples_contract.py`` says what every implementation must do.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 2**24

Rows = NDArray[np.int64] | Sequence[int] | slice


@runtime_checkable
class Examples(Protocol):
    """n examples of one shape and dtype, in a fixed order.

    Implementations may be read by several threads and processes at once, and can be pickled.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """The type of one value."""

    @abstractmethod
    def __len__(self) -> int:
        """Return n."""

    @abstractmethod
    def take(self, rows: Rows) -> NDArray[Any]:
        """Return these examples in this order, [k, \\*shape]. Do not write to the result.

        Args:
            rows: indices from 0 to n − 1, in any order, repeated or not; or a slice.

        Raises:
            IndexError: an index is n or larger, or negative.
        """

    def take_into(self, rows: NDArray[np.int64], into: NDArray[Any]) -> None:
        """Copy the examples ``rows`` into an array [k, \\*shape]."""
        into[...] = self.take(rows)

    @property
    def is_mapped(self) -> bool:
        """Whether they stay in files, and :meth:`whole` would copy them into memory."""
        return False

    @abstractmethod
    def whole(self) -> NDArray[Any]:
        """Return all examples as one array, [n, \\*shape]. Do not write to it.

        For data/ and training/ only, where the whole fits in memory.
        """

    @property
    def example_bytes(self) -> int:
        """Bytes of one example."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all examples, whether they are in memory or not."""
        return len(self) * self.example_bytes

    @property
    def resident_bytes(self) -> int:
        """Bytes that stay in this process's memory for the examples; the others are mapped."""
        return self.nbytes

    @property
    def size(self) -> int:
        """The number of values of all examples."""
        return len(self) * prod(self.shape)

    def selected(self, rows: NDArray[np.int64]) -> "Examples":
        """Return the examples ``rows``, in that order, without a copy."""
        return Selection(self, rows)

    def chunks(self, rows: int | None = None) -> Iterator[NDArray[Any]]:
        """Yield all examples in order, [≤ rows, \\*shape] at a time; one empty chunk of none.

        Args:
            rows: examples in a chunk; by default as many as fit into 16 MiB, at least one.
        """
        step = max(1, CHUNK_BYTES // max(1, self.example_bytes)) if rows is None else rows
        for start in range(0, max(1, len(self)), step):
            yield self.take(slice(start, start + step))


class InMemory(Examples):
    """Examples that are one array, which is kept and not copied."""

    def __init__(self, array: NDArray[Any]) -> None:
        """Keep ``array`` [n, …]; do not change it afterwards."""
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """See :class:`Examples`."""
        return tuple(self._array.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """See :class:`Examples`."""
        return self._array.dtype

    def __len__(self) -> int:
        """Return n."""
        return len(self._array)

    def take(self, rows: Rows) -> NDArray[Any]:
        """See :class:`Examples`; a slice of consecutive rows is a view, without a copy."""
        index = rows if isinstance(rows, slice) else checked_rows(rows, len(self))
        taken: NDArray[Any] = self._array[index]
        return taken

    def whole(self) -> NDArray[Any]:
        """See :class:`Examples`; without a copy."""
        return self._array


class Selection(Examples):
    """Some rows of other examples, in any order; nothing is copied."""

    def __init__(self, examples: Examples, rows: NDArray[np.int64]) -> None:
        """Select ``rows``, indices into ``examples``."""
        self._examples, self._rows = examples, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """See :class:`Examples`."""
        return self._examples.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """See :class:`Examples`."""
        return self._examples.dtype

    def __len__(self) -> int:
        """Return how many rows are selected."""
        return len(self._rows)

    def take(self, rows: Rows) -> NDArray[Any]:
        """See :class:`Examples`."""
        index = rows if isinstance(rows, slice) else checked_rows(rows, len(self))
        return self._examples.take(self._rows[index])

    def whole(self) -> NDArray[Any]:
        """See :class:`Examples`."""
        return self._examples.take(self._rows)


def as_examples(x: NDArray[Any] | Examples) -> Examples:
    """Return examples as they are, and an array as examples in memory."""
    return x if isinstance(x, Examples) else InMemory(x)


def checked_rows(rows: NDArray[np.int64] | Sequence[int], n: int) -> NDArray[np.int64]:
    """Return indices as an array.

    Raises:
        IndexError: one of them is not in 0 … n − 1.
    """
    index = np.asarray(rows, dtype=np.int64)
    if index.size and not 0 <= index.min() <= index.max() < n:
        raise IndexError(f"rows {index.min()} to {index.max()}: there are {n}, counted from 0")
    return index
