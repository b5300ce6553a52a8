"""Examples in memory keep the contract, and copy nothing that need not be copied."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Examples, InMemory
from tests.data.examples_contract import ExamplesContract


class TestInMemory(ExamplesContract):
    def make(self, array: NDArray[Any], folder: Path) -> Examples:
        del folder
        return InMemory(array)


def test_consecutive_rows_and_the_whole_are_not_copied() -> None:
    array = np.arange(60.0).reshape(20, 3)
    made = InMemory(array)
    assert made.whole() is array
    assert np.shares_memory(made.take(slice(3, 9)), array)
    assert all(np.shares_memory(chunk, array) for chunk in made.chunks(7))
