import numpy as np
import pytest

from memtail_core.data import Dataset


@pytest.fixture
def dataset() -> Dataset:
    """37 + 13 images of 5 × 4 noise in three classes."""
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(50, 5, 4, 1), dtype=np.uint8)
    return Dataset.from_arrays(x[:37], np.arange(37) % 3, x[37:], np.arange(13) % 3)
