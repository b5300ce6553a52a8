"""An array of scores that is read part by part."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """What has a shape and a type, and gives some of its rows: an array, in memory or not."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As numpy's."""

    @property
    def ndim(self) -> int:
        """As numpy's."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As numpy's."""

    def __getitem__(self, rows: slice, /) -> Any:
        """Return these rows."""


class OnDisk:
    """An array in a ``.npy`` file. It is mapped anew for each part, so that read parts are let go.

    Attributes:
        shape, dtype: of the array.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        mapped = self._mapped()
        self.shape, self.dtype, self.ndim = mapped.shape, mapped.dtype, mapped.ndim

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return np.array(self._mapped()[rows])

    def _mapped(self) -> NDArray[Any]:
        mapped: NDArray[Any] = np.load(self._file, mmap_mode="r", allow_pickle=False)
        return mapped
