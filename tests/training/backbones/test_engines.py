"""The contract of engines, for what trains on a pretrained backbone."""

from typing import Any

import numpy as np
import pytest

from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.training import Engine, Outcomes, Tuning
from memtail_core.training.backbones.frozen import HeadMLP
from memtail_core.training.gradient.networks import MLP
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


def test_a_head_fits_correlated_features_at_its_own_rate() -> None:
    """Features share directions, as a backbone's do: at the rate of ``mlp`` heads diverge."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 300)
    x = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 512)) + 0.3 * rng.normal(size=(300, 512))
    x = x.astype(np.float32)
    data = Dataset.from_arrays(x, y, x[:9], y[:9])
    subsets = np.arange(300) < np.full((2, 1), 210)
    for recipe, share in (
        (HeadMLP(precision="float32"), None),
        (MLP(widths=(128,), precision="float32"), [0.25, 0.25]),
    ):
        engine = recipe.completed(210).engine("cpu", Tuning(2))
        outcomes = engine.train(data, subsets, np.arange(2))
        assert outcomes.train_correct[subsets].mean() > 0.99
        found = outcomes.rate_share
        assert (None if found is None else found.tolist()) == share
