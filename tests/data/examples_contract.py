"""What every implementation of Examples must do: subclass ExamplesContract and say how to make one.

class TestPacked(ExamplesContract):
    def make(self, array, folder):
        return pack(array, folder)
"""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core.data import Examples, examples

ARRAYS = {
    "images": np.random.default_rng(0).integers(0, 256, (37, 5, 4, 3)).astype(np.uint8),
    "features": np.random.default_rng(1).normal(size=(20, 7)).astype(np.float32),
    "sequences": np.arange(24, dtype=np.int64).reshape(12, 2),
    "one example": np.array([[1, 2, 3]], np.uint8),
    "none": np.zeros((0, 4), np.float32),
}


class ExamplesContract:
    """The tests; ``make`` is what differs between implementations."""

    def make(self, array: NDArray[Any], folder: Path) -> Examples:
        """Return examples with the content of ``array`` [n, …]; ``folder`` is empty."""
        raise NotImplementedError

    @pytest.fixture(params=ARRAYS)
    def array(self, request: pytest.FixtureRequest) -> NDArray[Any]:
        return ARRAYS[request.param]

    @pytest.fixture
    def made(self, array: NDArray[Any], tmp_path: Path) -> Examples:
        return self.make(array, tmp_path)

    def test_the_form_is_that_of_the_array(self, made: Examples, array: NDArray[Any]) -> None:
        assert len(made) == len(array)
        assert made.shape == array.shape[1:]
        assert made.dtype == array.dtype
        assert (made.nbytes, made.size) == (array.nbytes, array.size)

    def test_rows_come_in_the_order_asked_for(self, made: Examples, array: NDArray[Any]) -> None:
        n = len(array)
        for rows in (np.arange(n)[::-1], np.repeat(np.arange(n), 2), list(range(n))[::3], []):
            taken = made.take(rows)
            expected = array[np.asarray(rows, np.int64)]
            assert taken.dtype == array.dtype
            assert taken.flags.c_contiguous
            np.testing.assert_array_equal(taken, expected)

    @pytest.mark.parametrize(
        "rows",
        [slice(2, 9), slice(None, 3), slice(5, 10**6), slice(10**6, None), slice(1, None, 3)],
    )
    def test_slices_are_those_of_an_array(
        self, made: Examples, array: NDArray[Any], rows: slice
    ) -> None:
        taken = made.take(rows)
        assert (taken.dtype, taken.shape) == (array.dtype, array[rows].shape)
        np.testing.assert_array_equal(taken, array[rows])

    def test_a_row_that_is_not_there_is_refused(self, made: Examples) -> None:
        for row in (len(made), -1):
            with pytest.raises(IndexError):
                made.take([row])

    @pytest.mark.parametrize("rows", [1, 5, 10**6, None])
    def test_chunks_are_all_examples_in_order(
        self, made: Examples, array: NDArray[Any], rows: int | None
    ) -> None:
        chunks = list(made.chunks(rows))
        assert len(chunks) == 1 or all(1 <= len(chunk) <= (rows or len(array)) for chunk in chunks)
        np.testing.assert_array_equal(np.concatenate(chunks), array)

    def test_chunks_have_bounded_bytes(self, tmp_path: Path) -> None:
        array = np.arange(200, dtype=np.uint8)[:, None].repeat(2**17, axis=1)  # 25 MiB
        sizes = [chunk.nbytes for chunk in self.make(array, tmp_path).chunks()]
        assert max(sizes) <= examples.CHUNK_BYTES
        assert len(sizes) == 2

    def test_the_whole_is_the_array(self, made: Examples, array: NDArray[Any]) -> None:
        whole = made.whole()
        assert whole.dtype == array.dtype
        np.testing.assert_array_equal(whole, array)

    def test_other_processes_and_threads_read_the_same(
        self, made: Examples, array: NDArray[Any]
    ) -> None:
        sent = pickle.loads(pickle.dumps(made))  # as loky sends it to a process that trains
        np.testing.assert_array_equal(sent.whole(), array)
        with ThreadPoolExecutor(4) as threads:
            rows = [np.arange(start, len(array), 4) for start in range(4)] * 8
            for asked, taken in zip(rows, threads.map(made.take, rows), strict=True):
                np.testing.assert_array_equal(taken, array[asked])
