"""Examples as records of one size in memory-mapped files, the parts; one copy serves all processes.

A process maps the parts and reads from the operating system's page cache, which all processes of
the machine share and which gives way when memory is needed.
"""

import fcntl
import mmap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples, Rows, checked_rows
from memtail_core.errors import DatasetError

_PAGE = mmap.PAGESIZE
_ASKED_AHEAD = 2**10  # bytes; smaller records are read one page at a time anyway


@dataclass(frozen=True)
class Part:
    """A file of records.

    Attributes:
        sha256: of its bytes, and its name.
        rows: how many records it holds.
    """

    sha256: str
    rows: int


class Records:
    """The records of some parts, in order: n of one shape and dtype.

    The parts stay mapped, so that a file that is deleted meanwhile can still be read. While a part
    is mapped its file is locked (shared), by which others see that it is in use.
    """

    def __init__(
        self, folder: Path, parts: Sequence[Part], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        """Map the parts.

        Args:
            folder: where their files are.
            parts: which, in order.
            shape, dtype: of one record.

        Raises:
            DatasetError: a file is missing or has another length.
        """
        self.folder, self.parts, self.shape, self.dtype = folder, tuple(parts), shape, dtype
        self.record_bytes = prod(shape) * dtype.itemsize
        self.starts = np.cumsum([0, *(part.rows for part in parts)])
        self._maps = [_mapped(folder / part.sha256, part, self.record_bytes) for part in parts]
        self._arrays = [
            np.frombuffer(each, dtype).reshape(part.rows, *shape)
            for each, part in zip(self._maps, self.parts, strict=True)
        ]

    def __len__(self) -> int:
        """Return n."""
        return int(self.starts[-1])

    def __reduce__(self) -> tuple[Any, ...]:
        """Map the parts anew in the process that this is sent to."""
        return Records, (self.folder, self.parts, self.shape, self.dtype)

    def read(self, rows: NDArray[np.int64], into: NDArray[Any] | None = None) -> NDArray[Any]:
        """Copy records, [k, \\*shape]; those that are not in memory are all asked for at once.

        Args:
            rows: int64 [k], from 0 to n − 1.
            into: where to, [k, \\*shape]; a new array by default.
        """
        made = np.empty((len(rows), *self.shape), self.dtype) if into is None else into
        if not len(rows):
            return made
        runs = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        first = rows[runs[:-1]]
        at = (np.searchsorted(self.starts, first, side="right") - 1).tolist()
        within = (first - self.starts[at]).tolist()
        if len(at) > 1:
            self._ask_for(at, within, runs)
        for part, row, start, end in zip(at, within, runs, runs[1:], strict=False):
            self._copy(part, row, made[start:end])
        return made

    def _copy(self, part: int, row: int, into: NDArray[Any]) -> None:
        """Copy records that follow each other, from ``row`` of ``part`` on."""
        while len(into):
            some = self._arrays[part][row : row + len(into)]
            into[: len(some)] = some
            part, row, into = part + 1, 0, into[len(some) :]

    def _ask_for(self, at: list[int], within: list[int], runs: list[int]) -> None:
        """Tell the system which bytes are needed next, so that it reads them side by side."""
        if self.record_bytes < _ASKED_AHEAD or not hasattr(mmap, "MADV_WILLNEED"):
            return
        for part, row, start, end in zip(at, within, runs, runs[1:], strict=False):
            first = row * self.record_bytes
            last = first + (end - start) * self.record_bytes
            begin = first // _PAGE * _PAGE
            each = self._maps[part]
            each.madvise(mmap.MADV_WILLNEED, begin, min(last, len(each)) - begin)


class Packed(Examples):
    """Some of the records, in any order."""

    def __init__(self, records: Records, rows: NDArray[np.int64] | None = None) -> None:
        """Take ``rows``, int64 [n]; by default all."""
        self.records = records
        self.rows = np.arange(len(records)) if rows is None else rows

    @property
    def shape(self) -> tuple[int, ...]:
        """See :class:`Examples`."""
        return self.records.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """See :class:`Examples`."""
        return self.records.dtype

    @property
    def resident_bytes(self) -> int:
        """See :class:`Examples`: which records these are, and nothing else."""
        return self.rows.nbytes

    @property
    def is_mapped(self) -> bool:
        """See :class:`Examples`."""
        return True

    def __len__(self) -> int:
        """Return n."""
        return len(self.rows)

    def take(self, rows: Rows) -> NDArray[Any]:
        """See :class:`Examples`."""
        index = rows if isinstance(rows, slice) else checked_rows(rows, len(self))
        return self.records.read(self.rows[index])

    def take_into(self, rows: NDArray[np.int64], into: NDArray[Any]) -> None:
        """See :class:`Examples`; straight from the files."""
        self.records.read(self.rows[checked_rows(rows, len(self))], into)

    def selected(self, rows: NDArray[np.int64]) -> "Packed":
        """See :class:`Examples`; a selection of packed examples is packed."""
        return Packed(self.records, self.rows[rows])

    def whole(self) -> NDArray[Any]:
        """See :class:`Examples`."""
        return self.records.read(self.rows)


def _mapped(file: Path, part: Part, record_bytes: int) -> mmap.mmap:
    n = part.rows * record_bytes
    try:
        with file.open("rb") as opened:
            with suppress(OSError):  # no locks on this file system
                fcntl.flock(opened, fcntl.LOCK_SH)  # as long as it is mapped
            size = opened.seek(0, 2)
            if size != n:
                raise DatasetError(
                    f"'{file}' is damaged: it has {size:,} bytes, not {n:,}; run the command "
                    "that packed or fetched it again"
                )
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise DatasetError(
            f"'{file}' is missing: run the command that packed or fetched it again"
        ) from None
    except OSError as error:
        raise DatasetError(f"cannot map '{file}': {error.strerror or error}") from error
