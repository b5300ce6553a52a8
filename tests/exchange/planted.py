"""A study of digits of which some labels are wrong, that keeps probabilities; its lists."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.exchange import registry
from memtail_core.exchange.exporting import export
from memtail_core.exchange.stored import StoredStudy
from memtail_core.plan.shards import planned as planned_shards
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study

N, N_WRONG = 400, 20
CLASSES = ("zero", "=one()", "two", "<b>three</b>", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Planted:
    """A study, which labels are wrong, bool [n], and folders by the name of the format."""

    study: Study
    dataset: Dataset
    store: FilesStore
    is_wrong: np.ndarray
    right: np.ndarray
    root: Path

    def folder(self, name: str) -> Path:
        return self.root / name


def digits_with_wrong_labels() -> tuple[Dataset, np.ndarray, np.ndarray]:
    """The data, which training labels are wrong, and the right ones."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = (images.reshape(-1, 8, 8) * 15.9).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:N], order[N : N + 100]
    right = labels[train].astype(np.int64)
    is_wrong = np.zeros(N, bool)
    is_wrong[np.random.default_rng(1).choice(N, N_WRONG, replace=False)] = True
    given = np.where(is_wrong, (right + 3) % 10, right)
    dataset = Dataset.from_arrays(
        pixels[train],
        given,
        pixels[test],
        labels[test],
        classes=CLASSES,
        train_names=[f"digits/{i:04d}.png" if i else '@first, "quoted"' for i in range(N)],
    )
    return dataset, is_wrong, right


def train(store: FilesStore, study: Study, dataset: Dataset, trials: int) -> None:
    """Train in this process."""
    catalogue.register(store, study, dataset, trials)
    trainer = ShardTrainer(store, study, "cpu")
    for shard in planned_shards(study, trials):
        trainer.train(shard)


def planted(root: Path) -> Planted:
    """Train 40 linear models and write every list."""
    dataset, is_wrong, right = digits_with_wrong_labels()
    spec = Spec.parse(
        {
            "study": {"name": "planted", "shard_size": 10, "probabilities": True},
            "dataset": {"source": "here"},
            "training": {"recipe": "linear", "l2": 0.01},
        }
    )
    study, dataset = prepare(spec, dataset)
    store = FilesStore(root / "runs")
    train(store, study, dataset, 40)
    for name in registry.WRITTEN:
        if registry.FORMATS[name].lists_examples:
            export(StoredStudy(store, study), registry.FORMATS[name], root / name)
    return Planted(study, dataset, store, is_wrong, right, root)
