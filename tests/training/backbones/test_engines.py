"""The contract of engines, for what trains on a pretrained backbone."""

from typing import Any

import numpy as np
import pytest

from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.training import Engine, Outcomes, Tuning
from tests.training.contract import EngineContract
from tests.training.test_engines import digits
from tests.training.test_linear import _Solved

SMALL = {"recipe": "finetune", "backbone": "python:tests.training.backbones.user_backbone:small"}


class _Finetune(EngineContract):
    training: dict[str, Any]
    stack = 1

    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return digits()

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        recipe = training.resolve(SMALL | self.training, dataset, 175)
        assert training.restore(recipe.described()) == recipe
        return recipe.engine("cpu", Tuning(self.stack))


class TestLinearHead(_Finetune, _Solved):
    training = {"head": "linear", "tolerance": 1e-6}  # noqa: RUF012


class TestHead(_Finetune):
    training = {"head": "mlp", "widths": [32], "epochs": 30}  # noqa: RUF012


class TestStackOfHeads(_Finetune):
    training = {"head": "mlp", "widths": [32], "epochs": 30}  # noqa: RUF012
    stack = 3

    @pytest.fixture(scope="class")
    def subsets(self, dataset: Dataset) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.stack([rng.permutation(250) < 175 for _ in range(3)])

    def assert_same_models(self, one: Outcomes, other: Outcomes, rows: slice) -> None:
        """Up to rounding, in a training of hundreds of steps."""
        assert (one.test_correct == other.test_correct[rows]).mean() > 0.98


class TestWholeNetwork(_Finetune):
    training = {"frozen": False, "epochs": 40, "learning_rate": 0.05}  # noqa: RUF012


class TestLastBlock(_Finetune):
    training = {"frozen": "last-block", "head": "mlp", "epochs": 40, "learning_rate": 0.05}  # noqa: RUF012
