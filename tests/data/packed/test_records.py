"""Packed examples keep the contract; a missing or truncated part is one line."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core.data import Examples
from memtail_core.data.examples import InMemory
from memtail_core.data.packed import packing
from memtail_core.data.packed.packing import Packer
from memtail_core.data.packed.part_folder import PartFolder
from memtail_core.data.packed.records import Packed
from memtail_core.errors import DatasetError
from tests.data.examples_contract import ExamplesContract


def packed(array: NDArray[Any], folder: Path, rows: int = 7) -> Packed:
    """Pack an array into parts of ``rows`` records."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "rows_per_part", lambda n, record_bytes: rows)
        return Packer(PartFolder(folder / "parts"), folder / "notes").array(InMemory(array))


class TestPacked(ExamplesContract):
    def make(self, array: NDArray[Any], folder: Path) -> Examples:
        return packed(array, folder)


class TestSelected(ExamplesContract):
    def make(self, array: NDArray[Any], folder: Path) -> Examples:
        """Select all rows from parts that hold them backwards."""
        made = packed(array[::-1].copy(), folder, rows=5)
        return made.selected(np.arange(len(array))[::-1].copy())


@pytest.fixture
def array() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (50, 40, 40, 3), dtype=np.uint8)


def test_runs_across_parts_and_scattered_rows_are_the_array(
    array: NDArray[np.uint8], tmp_path: Path
) -> None:
    made = packed(array, tmp_path)
    assert [part.rows for part in made.records.parts] == [7] * 7 + [1]
    rows = np.r_[np.arange(3, 31), [49, 0, 7, 6], np.arange(13, 15)]
    np.testing.assert_array_equal(made.take(rows), array[rows])
    into = np.zeros((len(rows), 40, 40, 3), np.uint8)
    made.take_into(rows, into)
    np.testing.assert_array_equal(into, array[rows])


def test_nothing_but_the_order_stays_in_memory(array: NDArray[np.uint8], tmp_path: Path) -> None:
    made = packed(array, tmp_path)
    assert made.nbytes == array.nbytes
    assert made.resident_bytes == 50 * 8


def test_parts_that_are_deleted_meanwhile_can_still_be_read(
    array: NDArray[np.uint8], tmp_path: Path
) -> None:
    made = packed(array, tmp_path)
    for file in (tmp_path / "parts").iterdir():
        file.unlink()
    np.testing.assert_array_equal(made.whole(), array)
    with pytest.raises(DatasetError, match="is missing: run the command"):
        pickle.loads(pickle.dumps(made))  # another process would have to open them


def test_a_truncated_part_is_refused(array: NDArray[np.uint8], tmp_path: Path) -> None:
    made = packed(array, tmp_path)
    file = tmp_path / "parts" / made.records.parts[2].sha256
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"damaged: it has 33,500 bytes, not 33,600"):
        pickle.loads(pickle.dumps(made))
