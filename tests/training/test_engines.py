from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.study import DatasetTable
from memtail_core.training import Engine
from tests.training.contract import EngineContract

DIGITS = {"train_limit": 250, "test_limit": 120}


@lru_cache
def digits() -> Dataset:
    return load(DatasetTable(source="sklearn:digits", **DIGITS))  # type: ignore[arg-type]


class _Digits(EngineContract):
    training: dict[str, Any]

    @pytest.fixture
    def dataset(self) -> Dataset:
        return digits()

    @pytest.fixture
    def engine(self, dataset: Dataset) -> Engine:
        return training.resolve(self.training, dataset, 175).engine("cpu")


class TestMLP(_Digits):
    training = {"recipe": "mlp", "widths": [32], "epochs": 40, "batch_size": 32}  # noqa: RUF012


class TestMLPInBfloat16(_Digits):
    training = {"recipe": "mlp", "widths": [32], "epochs": 50, "precision": "bfloat16"}  # noqa: RUF012


class TestCNN(_Digits):
    training = {"recipe": "cnn", "channels": [8, 16], "epochs": 50}  # noqa: RUF012


class TestCNNWithAugmentation(_Digits):
    training = {"recipe": "cnn", "channels": [16], "epochs": 80, "crop": 1}  # noqa: RUF012


class TestResNet9(_Digits):
    training = {"recipe": "resnet9", "width": 8, "epochs": 30}  # noqa: RUF012


class TestForest(_Digits):
    training = {"recipe": "sklearn:ensemble.RandomForestClassifier", "n_estimators": 30}  # noqa: RUF012


class TestSupportVectors(_Digits):
    """Without predict_proba: no margins."""

    training = {"recipe": "sklearn:svm.SVC"}  # noqa: RUF012


class TestUserFunction(_Digits):
    training = {"recipe": "python:tests.training.user_recipe:nearest", "power": 2}  # noqa: RUF012


class TestMLPOnATable(EngineContract):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return load(DatasetTable(source="sklearn:wine"))

    @pytest.fixture
    def engine(self, dataset: Dataset) -> Engine:
        return training.resolve({"widths": [32], "epochs": 100}, dataset, 100).engine("cpu")


def test_recipes_that_give_no_probabilities_have_no_margins() -> None:
    dataset = digits()
    engine = training.resolve({"recipe": "sklearn:svm.SVC"}, dataset, 175).engine("cpu")
    found = engine.train(dataset, np.ones((1, 250), bool), np.array([0]))
    assert found.train_margin is None
    assert found.test_margin is None
