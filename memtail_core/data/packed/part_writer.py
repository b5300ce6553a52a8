"""Writes a part: hashes what comes in, while a thread writes what came before to the disk.

It is written past the page cache where the file system lets it: copying into pages that are new to
the process costs a sixth of what decoding small images does, and what is packed is larger than
memory. Elsewhere each block is flushed as soon as it is written.
"""

import errno
import fcntl
import hashlib
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

_BLOCK = 2**21  # bytes that are written at once; of the memory's pages and of the disk's sectors
_DIRECT = getattr(os, "O_DIRECT", 0)

_spare: list[mmap.mmap] = []  # buffers of parts before: memory that is new costs more to fill


class PartWriter:
    """A part while it is written: bytes go in, its SHA-256 comes out.

    Use it in one thread. Its methods raise OSError if the disk is full or refuses.
    """

    def __init__(self, file: int, thread: ThreadPoolExecutor) -> None:
        """Write to an empty file.

        Args:
            file: its descriptor.
            thread: one, which writes.
        """
        self._file, self._thread = file, thread
        self._digest = hashlib.sha256()
        self._filling, self._other = _buffer(), _buffer()
        self._filled = self._written = 0
        self._writing: Future[None] | None = None
        self._is_direct = False
        with suppress(OSError):
            self._set_direct(bool(_DIRECT))

    def write(self, content: Any) -> None:
        """Append bytes, or a contiguous array."""
        rest = memoryview(content)
        if not rest.nbytes:
            return
        self._digest.update(rest)
        rest = rest.cast("B")
        while len(rest):
            some = rest[: _BLOCK - self._filled]
            self._filling[self._filled : self._filled + len(some)] = some
            self._filled += len(some)
            rest = rest[len(some) :]
            if self._filled == _BLOCK:
                self._hand_over()

    def finish(self) -> None:
        """Write what is left; it is not flushed."""
        self._wait()
        self._set_direct(False)  # what is left is no whole number of sectors
        self._put(memoryview(self._filling)[: self._filled], self._written)
        self._filled = 0
        _spare.extend((self._filling, self._other))

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._digest.hexdigest()

    def _hand_over(self) -> None:
        self._wait()
        self._writing = self._thread.submit(self._put_block, self._filling, self._written)
        self._filling, self._other = self._other, self._filling
        self._written += _BLOCK
        self._filled = 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _put_block(self, block: mmap.mmap, start: int) -> None:
        self._put(memoryview(block), start)
        if not self._is_direct:
            os.fdatasync(self._file)

    def _put(self, rest: memoryview, start: int) -> None:
        while len(rest):
            try:
                n = os.pwrite(self._file, rest, start)
            except OSError as error:
                if not self._is_direct or error.errno != errno.EINVAL:
                    raise
                self._set_direct(False)  # this file system, or after a part of a block
                continue
            rest, start = rest[n:], start + n

    def _set_direct(self, is_direct: bool) -> None:
        if is_direct != self._is_direct:
            flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags ^ _DIRECT)
            self._is_direct = is_direct


def _buffer() -> mmap.mmap:
    """A block that begins on a page, as disks want it."""
    try:
        return _spare.pop()
    except IndexError:
        return mmap.mmap(-1, _BLOCK)
