"""Runs of one small study with planted wrong labels, trained once for all tests that read them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.approximations import Run, Setting, recorded
from memtail_core.data import Dataset
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.conftest import Shared, digits

N_WRONG = 30


@pytest.fixture(scope="session")
def planted() -> np.ndarray:
    """Which of 300 digits are given a wrong label."""
    wrong = np.zeros(300, bool)
    wrong[np.random.default_rng(5).permutation(300)[:N_WRONG]] = True
    return wrong


def settled(spec: Spec, folder: Path, wrong: np.ndarray | None = None) -> Setting:
    """A registered study, none of whose models are trained."""
    study, dataset = prepare(spec)
    if wrong is not None:
        y = dataset.y_train.copy()
        y[wrong] = (y[wrong] + 3) % 10
        dataset = replace(dataset, y_train=y)
        identity = study.dataset.model_copy(update={"sha256": dataset.sha256})
        study = study.model_copy(update={"dataset": identity})
    store = FilesStore(folder)
    catalogue.register(store, study, dataset, 10)
    return Setting(store, study, dataset, "cpu")


@pytest.fixture(scope="session")
def setting(shared: Shared, planted: np.ndarray) -> Setting:
    spec = digits(training={"epochs": 40, "batch_size": 16, "precision": "float32"})
    with shared("planted") as folder:
        return settled(spec, folder / "runs", planted)


@pytest.fixture(scope="session")
def dataset(setting: Setting) -> Dataset:
    return setting.dataset


@pytest.fixture(scope="session")
def runs(setting: Setting, shared: Shared) -> list[Run]:
    with shared("planted"):
        return recorded(setting, 3)
