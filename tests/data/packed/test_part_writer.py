"""What a writer has written is what it was given, in blocks, whatever the file system allows."""

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from memtail_core.data.packed import part_writer
from memtail_core.data.packed.part_writer import PartWriter

BLOCK = 2**14


def written(file: Path, contents: list[object]) -> PartWriter:
    with file.open("xb", buffering=0) as opened, ThreadPoolExecutor(1) as thread:
        writer = PartWriter(opened.fileno(), thread)
        for content in contents:
            writer.write(content)
        writer.finish()
    return writer


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_writer, "_BLOCK", BLOCK)
    monkeypatch.setattr(part_writer, "_spare", [])


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, 5 * BLOCK + 4097])
@pytest.mark.parametrize("step", [1000, BLOCK, 3 * BLOCK + 17])
def test_writes_what_it_is_given(tmp_path: Path, n: int, step: int) -> None:
    content = np.random.default_rng(0).bytes(n)
    pieces: list[object] = [content[i : i + step] for i in range(0, n, step)]
    writer = written(tmp_path / "part", [*pieces, b""])
    assert (tmp_path / "part").read_bytes() == content
    assert writer.sha256 == hashlib.sha256(content).hexdigest()


def test_takes_arrays(tmp_path: Path) -> None:
    array = np.arange(6 * BLOCK, dtype=np.uint8).reshape(6, 4, BLOCK // 4)
    array.flags.writeable = False
    written(tmp_path / "part", [array])
    assert (tmp_path / "part").read_bytes() == array.tobytes()


def test_writes_through_the_page_cache_where_nothing_else_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, pwrite, refused = os.urandom(4 * BLOCK + 5), os.pwrite, []

    def refusing(file: int, data: memoryview, start: int) -> int:
        if not refused:
            refused.append(start)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return pwrite(file, data[:1000], start)  # and only a part of it

    monkeypatch.setattr(part_writer.os, "pwrite", refusing)
    monkeypatch.setattr(PartWriter, "_set_direct", _claimed)
    written(tmp_path / "part", [content])
    assert refused == [0]
    assert (tmp_path / "part").read_bytes() == content


def test_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: memoryview, start: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(part_writer.os, "pwrite", full)
    with pytest.raises(OSError, match="No space left") as raised:
        written(tmp_path / "part", [os.urandom(2 * BLOCK)])
    assert raised.value.errno == errno.ENOSPC


def _claimed(writer: PartWriter, is_direct: bool) -> None:
    """Believe that writing past the page cache is possible until it is refused."""
    writer._is_direct = is_direct
