"""Parts are whole or not there; what is unused makes room; a full disk loses none."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from memtail_core.data.packed import part_folder
from memtail_core.data.packed.part_folder import PartFolder, check_parts, fetched
from memtail_core.data.packed.records import Part, Records
from memtail_core.errors import DamagedError, DatasetError, MachineError

ROWS = 10


def content(number: int) -> bytes:
    return bytes([number]) * ROWS


def part(number: int) -> Part:
    return Part(hashlib.sha256(content(number)).hexdigest(), ROWS)


def put(folder: PartFolder, number: int) -> Part:
    with folder.written() as writer:
        writer.write(content(number))
    return part(number)


def mapped(folder: PartFolder, *parts: Part) -> Records:
    return Records(folder.root, parts, (), np.dtype(np.uint8))


def there(folder: PartFolder) -> list[int]:
    return [number for number in range(9) if folder.has(part(number), 1)]


def test_a_part_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path)
    with pytest.raises(ZeroDivisionError), folder.written() as writer:
        writer.write(content(1))
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_the_parts_unused_for_longest_make_room_but_none_that_is_kept_or_mapped(
    tmp_path: Path,
) -> None:
    folder = PartFolder(tmp_path, most_bytes=5 * ROWS)
    for number in range(5):
        put(folder, number)
    folder.use([part(0)])  # the others were used before
    mine, theirs = mapped(folder, part(1)), [part(2)]
    folder.make_room(2 * ROWS, theirs)
    assert there(folder) == [0, 1, 2]
    with pytest.raises(MachineError, match=r"need .* may hold .*: raise MEMTAIL_CACHE_BYTES"):
        folder.make_room(4 * ROWS, theirs)
    assert there(folder) == [1, 2]
    del mine
    folder.make_room(4 * ROWS, theirs)
    assert there(folder) == [2]


def test_a_part_that_another_process_maps_stays(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path, most_bytes=2 * ROWS)
    put(folder, 1)
    put(folder, 2)
    maps = (
        "import sys, numpy, pathlib\n"
        "from memtail_core.data.packed.records import Part, Records\n"
        f"r = Records(pathlib.Path({str(tmp_path)!r}), [Part({part(1).sha256!r}, {ROWS})], (), "
        "numpy.dtype('u1'))\nprint('mapped', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", maps], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mapped\n"
        folder.make_room(ROWS, [])
        assert there(folder) == [1]
        other.communicate("")
    folder.make_room(2 * ROWS, [])
    assert there(folder) == []


def test_data_larger_than_the_disk_are_refused_before_anything_is_dropped_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PartFolder(tmp_path)
    put(folder, 1)
    monkeypatch.setattr(part_folder, "free_disk", lambda folder: 10**9)
    with pytest.raises(MachineError, match=r"need 2\.0 GB more .* its disk has 1\.0 GB"):
        folder.make_room(2 * 10**9, [part(1)])
    assert there(folder) == [1]


def test_a_disk_that_fills_up_is_one_line_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PartFolder(tmp_path)
    put(folder, 1)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(part_folder.os, "fsync", full)
    with pytest.raises(MachineError, match="is full: make room and run the same command again"):
        put(folder, 2)
    assert [file.name for file in tmp_path.iterdir()] == [part(1).sha256]


def test_what_a_killed_writer_left_is_swept_but_not_what_is_being_written(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path)
    left = tmp_path / ".partial-left"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    with folder.written() as writer:
        writer.write(content(3))
        (mine,) = (file for file in tmp_path.glob(".partial-*") if file != left)
        os.utime(mine, (10**9, mine.stat().st_mtime - 3600))
        folder.make_room(0, [])
        assert not left.exists()
    assert there(folder) == [3]


def test_only_parts_that_are_missing_are_fetched_and_each_is_verified(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path)
    put(folder, 1)
    asked: list[Part] = []

    def fetch(wanted: Part) -> bytes:
        asked.append(wanted)
        return content(2)

    fetched(folder, [part(1), part(2)], 1, fetch)
    assert asked == [part(2)]
    with pytest.raises(DamagedError, match="SHA-256 differs"):
        fetched(folder, [part(3)], 1, fetch)
    assert there(folder) == [1, 2]


def test_parts_are_compared_with_their_names(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path)
    parts = [put(folder, 1), put(folder, 2)]
    check_parts(tmp_path, parts)
    folder.file(parts[1]).write_bytes(content(1))
    with pytest.raises(DatasetError, match="SHA-256 differs; delete it"):
        check_parts(tmp_path, parts)
