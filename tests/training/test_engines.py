from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.study import DatasetTable
from memtail_core.training import Engine, Outcomes, Tuning
from tests.texts import reviewed
from tests.training.contract import EngineContract

BAG = {"recipe": "bag", "buckets": 2048, "batch_size": 64, "epochs": 40}
TEXT_CNN = {
    "recipe": "textcnn",
    "width": 16,
    "channels": 16,
    "epochs": 25,
    "learning_rate": 0.01,
}
TRANSFORMER = {
    "recipe": "transformer",
    "width": 16,
    "hidden": 32,
    "epochs": 30,
    "learning_rate": 0.01,
}
DIGITS = {"train_limit": 250, "test_limit": 120}


@lru_cache
def digits() -> Dataset:
    return load(DatasetTable(source="sklearn:digits", **DIGITS))  # type: ignore[arg-type]


class _Digits(EngineContract):
    training: dict[str, Any]

    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return digits()

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        precision = self.training.get("precision", "float32")
        return training.resolve(self.training, dataset, 175).engine("cpu", Tuning(1, precision))


class TestMLP(_Digits):
    training = {"recipe": "mlp", "widths": [32], "epochs": 40, "batch_size": 32}  # noqa: RUF012


class TestMLPInBfloat16(_Digits):
    training = {"recipe": "mlp", "widths": [32], "epochs": 50, "precision": "bfloat16"}  # noqa: RUF012


class _Stacked(_Digits):
    """Three at once, on subsets of one size."""

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        recipe = training.resolve(self.training, dataset, 175)
        return recipe.engine("cpu", Tuning(3, self.precision))

    precision = "float32"

    @pytest.fixture(scope="class")
    def subsets(self, dataset: Dataset) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.stack([rng.permutation(250) < 175 for _ in range(3)])

    def assert_same_models(self, one: Outcomes, other: Outcomes, rows: slice) -> None:
        """Up to rounding, in a training of hundreds of steps."""
        for name in ("train_correct", "test_correct"):
            assert (getattr(one, name) == getattr(other, name)[rows]).mean() > 0.98


class TestStackedMLP(_Stacked):
    training = {"recipe": "mlp", "widths": [32], "epochs": 40, "batch_size": 32}  # noqa: RUF012


class TestStackedMLPInBfloat16(_Stacked):
    training = {"recipe": "mlp", "widths": [32], "epochs": 50}  # noqa: RUF012
    precision = "bfloat16"


class TestStackedCNN(_Stacked):
    training = {"recipe": "cnn", "channels": [8, 16], "epochs": 50}  # noqa: RUF012


class _StackedTexts(_Stacked):
    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return reviewed()


class TestStackedBag(_StackedTexts):
    training = BAG


class TestStackedTextCNN(_StackedTexts):
    training = TEXT_CNN


class TestStackedTransformer(_StackedTexts):
    training = TRANSFORMER


class TestStackedResNet9(_Stacked):
    training = {"recipe": "resnet9", "width": 8, "epochs": 30}  # noqa: RUF012


class TestCNN(_Digits):
    training = {"recipe": "cnn", "channels": [8, 16], "epochs": 50}  # noqa: RUF012


class TestCNNWithAugmentation(_Digits):
    training = {"recipe": "cnn", "channels": [16], "epochs": 80, "crop": 1}  # noqa: RUF012


class TestResNet9(_Digits):
    training = {"recipe": "resnet9", "width": 8, "epochs": 30}  # noqa: RUF012


class _Texts(EngineContract):
    training: dict[str, Any]
    stack = 1

    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return reviewed()

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        recipe = training.resolve(self.training, dataset, 175)
        return recipe.engine("cpu", Tuning(self.stack))


class TestBag(_Texts):
    training = BAG


class TestTextCNN(_Texts):
    training = TEXT_CNN


class TestTransformer(_Texts):
    training = TRANSFORMER


class TestForestOnTexts(_Texts):
    training = {"recipe": "sklearn:ensemble.RandomForestClassifier", "n_estimators": 30}  # noqa: RUF012


class TestForest(_Digits):
    training = {"recipe": "sklearn:ensemble.RandomForestClassifier", "n_estimators": 30}  # noqa: RUF012


class TestSupportVectors(_Digits):
    """Without predict_proba: no margins."""

    training = {"recipe": "sklearn:svm.SVC"}  # noqa: RUF012


class TestUserFunction(_Digits):
    training = {"recipe": "python:tests.training.user_recipe:nearest", "power": 2}  # noqa: RUF012


class TestMLPOnATable(EngineContract):
    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return load(DatasetTable(source="sklearn:wine"))

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        return training.resolve({"widths": [32], "epochs": 100}, dataset, 100).engine("cpu")


def test_recipes_that_give_no_probabilities_have_no_margins() -> None:
    dataset = digits()
    engine = training.resolve({"recipe": "sklearn:svm.SVC"}, dataset, 175).engine("cpu")
    found = engine.train(dataset, np.ones((1, 250), bool), np.array([0]))
    assert found.train_value is None
    assert found.test_value is None
