"""Packing gives the records that memory would hold, and goes on where it was interrupted."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memtail_core.data import Dataset, Storage, load
from memtail_core.data.packed import packing, storage, writing
from memtail_core.data.packed.packing import rows_per_part
from memtail_core.errors import DatasetError, MachineError
from memtail_core.study import DatasetTable

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _parts_of_five_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packing, "rows_per_part", lambda n, record_bytes: 5)
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded for records."""
    files: list[str] = []
    decode = writing.decode

    def noted(file: str, *rest: object) -> object:
        files.append(Path(file).name)
        return decode(file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "decode", noted)
    return files


Pixels = Callable[[int], "np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.uint16]]"]


def colour(_: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return RNG.integers(0, 256, (9, 8, 3), dtype=np.uint8)


def photos(folder: Path, pixels: Pixels = colour, n: int = 14) -> Path:
    """Write n images in each of two classes."""
    for name in ("ant", "bee"):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(pixels(i)).save(folder / name / f"{name}{i:02}.png")
    return folder


def both(folder: Path, **options: object) -> tuple[Dataset, Dataset]:
    table = {"source": f"folder:{folder}", **options}
    memory, packed = (
        load(DatasetTable.model_validate({**table, "storage": how})) for how in ("memory", "packed")
    )
    assert packed.train.is_mapped
    return memory, packed


def assert_same(memory: Dataset, packed: Dataset) -> None:
    for ours, theirs in ((packed.train, memory.train), (packed.test, memory.test)):
        np.testing.assert_array_equal(ours.whole(), theirs.whole())
    assert packed.sha256 == memory.sha256
    assert packed.account == memory.account


@pytest.mark.parametrize("options", [{}, {"size": 6}, {"size": 6, "test_fraction": 0.4}])
def test_records_are_what_memory_holds(tmp_path: Path, options: dict[str, object]) -> None:
    assert_same(*both(photos(tmp_path / "photos"), **options))


@pytest.mark.parametrize("coloured", [[], [11], list(range(14))])
def test_grey_images_get_the_channels_that_they_get_in_memory(
    tmp_path: Path, coloured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_PROBED", 2)  # which see no colour if only some have it
    folder = photos(tmp_path / "p", lambda i: colour(i) if i in coloured else colour(i)[..., 0])
    memory, packed = both(folder)
    assert_same(memory, packed)
    assert packed.shape[2] == (3 if coloured else 1)


def test_deep_grey_values_get_the_scale_of_the_whole_dataset(tmp_path: Path) -> None:
    folder = photos(
        tmp_path / "p",
        lambda i: (
            colour(i)[..., 0] if i < 6 else RNG.integers(9, 4000 - i, (9, 8), dtype=np.uint16)
        ),
    )
    memory, packed = both(folder)
    assert_same(memory, packed)
    assert "16 images with more than 8 bits" in packed.account.lines[1]


def test_broken_files_are_named_and_counted_as_in_memory(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    (folder / "ant" / "ant03.png").write_bytes(b"no image")
    cut = (folder / "bee" / "bee02.png").read_bytes()
    (folder / "bee" / "bee02.png").write_bytes(cut[: len(cut) // 2])
    assert_same(*both(folder, broken="skip"))
    for how in ("memory", "packed"):
        with pytest.raises(DatasetError, match=r"cannot read 2 files .*ant03.*bee02"):
            load(DatasetTable.model_validate({"source": f"folder:{folder}", "storage": how}))


def test_images_of_two_sizes_are_refused_as_in_memory(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", lambda i: colour(i) if i < 9 else colour(i)[:7])
    table = {"source": f"folder:{folder}", "storage": "packed"}
    with pytest.raises(DatasetError, match=r"different sizes \(8 × 9, and 8 × 7 in "):
        load(DatasetTable.model_validate(table))


def test_nothing_is_decoded_twice(tmp_path: Path, decoded: list[str]) -> None:
    folder = photos(tmp_path / "photos")
    table = DatasetTable.model_validate({"source": f"folder:{folder}", "storage": "packed"})
    first = load(table)
    assert len(decoded) == 28
    decoded.clear()
    assert load(table).sha256 == first.sha256
    assert decoded == []
    damaged = sorted((tmp_path / "cache" / "parts").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert load(table).sha256 == first.sha256
    assert 3 <= len(decoded) <= 5  # the one part


def test_after_a_change_only_what_changed_is_decoded(tmp_path: Path, decoded: list[str]) -> None:
    folder = photos(tmp_path / "photos")
    both(folder)
    decoded.clear()
    Image.fromarray(colour(0)).save(folder / "ant" / "ant07.png")
    assert_same(*both(folder))
    assert sorted(decoded) == [f"ant{i:02}.png" for i in range(5, 10)]


def test_a_file_that_changes_while_it_is_packed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos(tmp_path / "photos")
    decode = writing.decode
    table = DatasetTable.model_validate({"source": f"folder:{folder}", "storage": "packed"})

    def changing(file: str, *rest: object) -> object:
        image = decode(file, *rest)  # type: ignore[arg-type]
        if file.endswith("bee04.png"):
            Image.fromarray(colour(0)).save(file, compress_level=0)
        return image

    with monkeypatch.context() as patch:
        patch.setattr(writing, "decode", changing)
        with pytest.raises(DatasetError, match=r"bee04\.png' changed while being packed: run the"):
            load(table)
    assert_same(load(table.model_copy(update={"storage": "memory"})), load(table))


def test_memory_is_chosen_where_the_images_fit_with_room(tmp_path: Path) -> None:
    table = DatasetTable(source=f"folder:{photos(tmp_path / 'photos')}")
    need = 28 * 9 * 8 * 3
    here = Storage.here()
    assert not load(table, replace(here, free=lambda: need * storage._SHARE)).train.is_mapped
    assert load(table, replace(here, free=lambda: need * storage._SHARE - 8)).train.is_mapped


def test_a_cache_that_may_not_hold_the_data_refuses_before_decoding(
    tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMTAIL_CACHE_BYTES", "2000")
    table = {"source": f"folder:{photos(tmp_path / 'photos')}", "storage": "packed"}
    with pytest.raises(MachineError, match="raise MEMTAIL_CACHE_BYTES"):
        load(DatasetTable.model_validate(table))
    assert decoded == []


def test_parts_hold_at_most_256_mib_and_a_small_dataset_has_a_few() -> None:
    assert rows_per_part(1_281_167, 160 * 160 * 3) == 2**28 // (160 * 160 * 3)
    assert rows_per_part(200_000, 96 * 96 * 3) == 3125
    assert rows_per_part(1000, 96 * 96 * 3) == 2**22 // (96 * 96 * 3)
    assert rows_per_part(3, 2**30) == 1


def killed_and_finished(output: Path, folder: Path) -> tuple[str, str]:
    """Pack in a process, kill it once some parts are there, and pack again; return both outputs."""
    script = (
        "import sys, time, pathlib\n"
        "from memtail_core.data.packed import packing, writing\n"
        "from memtail_core.running.packing import pack\n"
        "from memtail_core.study import DatasetTable\n"
        "packing.rows_per_part = lambda n, b: 5\n"
        "decode = writing.decode\n"
        "def slow(file, *rest):\n"
        "    print(file, flush=True)\n"
        "    time.sleep(float(sys.argv[1]))\n"
        "    return decode(file, *rest)\n"
        "writing.decode = slow\n"
        "from dataclasses import replace\n"
        "from memtail_core.running import packing as running\n"
        "running.processes.pool = packing.threads\n"
        f"table = DatasetTable(source='folder:{folder}')\n"
        f"i = pack(table, pathlib.Path({str(output)!r}), None, 2)\n"
        "print('digest', i.digest)\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen([*command, "0.2"], stdout=subprocess.PIPE, text=True) as first:
        deadline = time.monotonic() + 300
        while len(list((output / "notes").glob("*.json"))) < 2:
            assert time.monotonic() < deadline
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        killed, _ = first.communicate()
    again = subprocess.run([*command, "0"], capture_output=True, text=True, check=True)
    return killed, again.stdout


@pytest.mark.slow
def test_a_killed_packing_is_finished_with_the_same_digest(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    killed, finished = killed_and_finished(tmp_path / "killed.memtail", folder)
    whole = subprocess.run(
        [sys.executable, "-m", "cli.main", "pack", f"folder:{folder}", "-o", "whole.memtail"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
    )
    assert b"digest" in whole.stdout
    parts = {file.name for file in (tmp_path / "killed.memtail" / "parts").iterdir()}
    assert len(parts) == 6  # 28 images, 5 a part, and nothing that the killed one left
    again = [line for line in finished.splitlines() if line.startswith("/")]
    assert "digest" not in killed
    assert 28 - len(again) >= 10  # two parts at least were not decoded again
    source = {"source": f"packed:{tmp_path / 'killed.memtail'}"}
    assert_same_data(source, {"source": f"packed:{tmp_path / 'whole.memtail'}"})


def assert_same_data(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = (load(DatasetTable.model_validate(table)) for table in (one, other))
    assert first.sha256 == second.sha256


def test_bytes_in_a_table_are_packed_too(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    def png(i: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(colour(i)).save(buffer, "PNG")
        return buffer.getvalue()

    columns = {"image": [png(i) for i in range(20)], "label": ["a", "b"] * 10}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    table = {"source": f"parquet:{tmp_path / 't.parquet'}", "image": "image", "label": "label"}
    memory, packed = (
        load(DatasetTable.model_validate({**table, "storage": how})) for how in ("memory", "packed")
    )
    assert_same(memory, packed)
