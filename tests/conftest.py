"""One small trained study for all tests that only read one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from memtail_core.training.device import use_one_core

use_one_core()  # as every training process does; two test processes on two threads each would crawl


def digits(**tables: dict[str, Any]) -> Spec:
    """A study of 300 digits that trains a model in a few hundredths of a second."""
    return Spec.parse(
        {
            "study": {"name": "digits", "trials": 40, "shard_size": 5} | tables.get("study", {}),
            "dataset": {"source": "sklearn:digits", "train_limit": 300, "test_limit": 100}
            | tables.get("dataset", {}),
            "subsets": tables.get("subsets", {}),
            "training": {"recipe": "mlp", "widths": [32], "epochs": 20}
            | tables.get("training", {}),
        }
    )


@dataclass(frozen=True)
class Trained:
    """A finished study in its store."""

    study: Study
    dataset: Dataset
    trials: Trials
    folder: Path

    @property
    def store(self) -> FilesStore:
        return FilesStore(self.folder)

    @property
    def analysis(self) -> Analysis:
        return analyse(self.study, self.dataset, self.trials)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """40 models, trained once a test process. Do not write into its folder: copy it."""
    folder = tmp_path_factory.mktemp("trained") / "runs"
    study, dataset = prepare(digits())
    trials = execution.run(study, FilesStore(folder), dataset, 40, workers=1)
    return Trained(study, dataset, trials, folder)
