"""A new recipe is one file, here the class below, and one line of the registry, the fixture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core import catalogue, training
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.plan.shards import Shard
from memtail_core.running import loading
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.training import UNTUNED, Engine, Outcome, Recipe, Tuning, registry
from memtail_core.training.predictors.engine import Predictor, PredictorEngine
from tests.conftest import digits as digits_study
from tests.training.contract import EngineContract
from tests.training.outcome_contract import RightOrWrong
from tests.training.test_engines import digits


class Centroids(Recipe):
    """The label of the nearest class mean, plus the nearest neighbour's vote."""

    outcome: ClassVar[Outcome] = RightOrWrong()
    recipe: str = "centroids"
    share: float = 0.5

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> Engine:
        del device, tuning
        return PredictorEngine(self, self._fit, lambda x, _: x.reshape(len(x), -1).astype(float))

    def _fit(self, x: NDArray[Any], y: NDArray[np.int64], seed: int, n_classes: int) -> Predictor:
        del seed
        there = np.unique(y)
        means = np.stack([x[y == c].mean(0) for c in there])

        def predict(inputs: NDArray[Any]) -> tuple[NDArray[np.int64], None]:
            far = np.square(inputs[:, None] - means).sum(2)
            near = np.square(inputs[:, None] - x).sum(2)
            nearest = np.stack([near[:, y == c].min(1) for c in there], axis=1)
            return there[(self.share * far + (1 - self.share) * nearest).argmin(1)], None

        return predict


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._BY_NAME, "centroids", Centroids)
        yield


class TestCentroids(EngineContract):
    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return digits()

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        return training.resolve({"recipe": "centroids", "share": 0.1}, dataset, 175).engine("cpu")


def test_it_trains_a_study(tmp_path: Path) -> None:
    spec = digits_study().model_copy(update={"training": {"recipe": "centroids"}})
    study, dataset = prepare(spec)
    assert study.training == {"recipe": "centroids", "share": 0.5, "version": 1}
    store = FilesStore(tmp_path)
    catalogue.register(store, study, dataset, 10)
    trainer = ShardTrainer(store, study, "cpu")
    accuracy = trainer.train(Shard(0, 5)).accuracy["test"]
    assert accuracy is not None
    assert accuracy > 0.7
    loaded, damaged = loading.load(store, study, values=True)
    assert len(loaded) == 5
    assert not damaged


def test_its_options_are_checked() -> None:
    with pytest.raises(StudyError, match=r"shares is not a known key \(did you mean 'share'"):
        training.resolve({"recipe": "centroids", "shares": 1.0}, digits(), 175)
    with pytest.raises(StudyError, match="did you mean 'centroids'"):
        training.resolve({"recipe": "centroid"}, digits(), 175)
