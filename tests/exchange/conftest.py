"""A trained study written in every format, once for all tests of this folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from memtail_core.exchange import registry
from memtail_core.exchange.exporting import export
from memtail_core.exchange.stored import StoredStudy
from memtail_core.experiments.judge.plan import asked, split
from memtail_core.experiments.judge.reading import read
from memtail_core.experiments.judge.scores import Scores
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.study import Study
from tests.conftest import Trained
from tests.exchange.planted import Planted, planted


@dataclass(frozen=True)
class Exported:
    """A study, its trials with margins, and folders by the name of the format."""

    trained: Trained
    trials: Trials
    root: Path

    def folder(self, name: str) -> Path:
        return self.root / name


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    root = tmp_path_factory.mktemp("exported")
    for name in registry.OF_TRIALS:
        export(StoredStudy(trained.store, trained.study), registry.FORMATS[name], root / name)
    trials, _ = loading.load(trained.store, trained.study, values=True)
    return Exported(trained, trials, root)


def datamodeling_scores(study: Study, trials: Trials, scores: Scores, making: int) -> np.ndarray:
    """The judge's score of each test example, float64 [n_test], by the trials after ``making``."""
    parts = split(study, trials, making)
    return read(scores, asked(trials, parts, "margin", np.zeros(0, np.int64), 0)).score.rho


@pytest.fixture(scope="session")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return planted(tmp_path_factory.mktemp("lists"))
