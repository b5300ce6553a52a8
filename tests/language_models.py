"""A small study of documents that keeps the losses of their tokens, trained."""

from pathlib import Path

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.plan.shards import planned
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from tests.texts import storied

_GPT = {"layers": 1, "width": 8, "heads": 2, "hidden": 8, "batch_size": 16, "epochs": 3}

StoredStories = tuple[Study, Dataset, FilesStore]


def stories(**study: object) -> tuple[Study, Dataset]:
    """A study of 60 documents, in shards of four models."""
    spec = Spec.parse(
        {
            "study": {"name": "stories", "shard_size": 4, **study},
            "dataset": {"source": "here", "task": "language-modelling"},
            "training": {"recipe": "gpt", "precision": "float32", **_GPT},
        }
    )
    return prepare(spec, storied())


def stored_stories(folder: Path) -> StoredStories:
    """Eight models in two shards."""
    study, dataset = stories(probabilities=True)
    store = FilesStore(folder)
    catalogue.register(store, study, dataset, 8)
    trainer = ShardTrainer(store, study, "cpu", stack=4)
    for shard in planned(study, 8):
        trainer.train(shard)
    return study, dataset, store
