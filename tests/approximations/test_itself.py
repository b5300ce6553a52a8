"""What a training example's influence on itself is: as if it were a test example too."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from memtail_core.approximations import INFLUENCE_METHODS, InfluenceMethod, Run
from memtail_core.approximations.method import KnowsItself
from memtail_core.data import Dataset

KNOWING = [method for method in INFLUENCE_METHODS if isinstance(method, KnowsItself)]


def run(seed: int) -> Run:
    """A run whose test examples are its training examples."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(60, 16)).astype(np.float32)
    of_run = {
        "subset": rng.random(60) < 0.5,
        "curves": SimpleNamespace(probability=rng.random((5, 60))),
        "part": lambda _: {"train": rows, "test": rows},
    }
    return cast("Run", SimpleNamespace(**of_run))


@pytest.mark.parametrize("method", KNOWING, ids=lambda method: method.name)
def test_it_is_the_diagonal(method: InfluenceMethod) -> None:
    assert isinstance(method, KnowsItself)
    runs, dataset = [run(0), run(1)], cast("Dataset", None)
    whole = method.between(dataset, runs)(np.arange(60), np.arange(60))
    found = method.itself(dataset, runs)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.diag(whole), rtol=1e-4, atol=1e-5)


def test_similarity_alone_says_nothing_about_an_example_itself() -> None:
    silent = {method.name for method in INFLUENCE_METHODS} - {method.name for method in KNOWING}
    assert silent == {"representation-similarity"}
