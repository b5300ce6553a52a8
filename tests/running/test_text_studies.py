"""A study of texts has the same bits however it is trained, and from the stored data alone."""

from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.plan.shards import planned
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.texts import reviewed, storied

TRIALS = 12


def spec(recipe: dict[str, object]) -> Spec:
    return Spec.parse(
        {
            "study": {"name": "texts", "shard_size": 4},
            "dataset": {"source": "python:reviews:load"},
            "training": recipe,
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        {"recipe": "bag", "buckets": 256, "epochs": 6, "batch_size": 64},
        {"recipe": "transformer", "width": 8, "heads": 2, "hidden": 8, "epochs": 3},
        {"recipe": "gpt", "width": 8, "heads": 2, "hidden": 8, "epochs": 3, "batch_size": 64},
    ],
    ids=lambda recipe: str(recipe["recipe"]),
)
def test_bits_do_not_depend_on_who_trained_which_shard_in_which_order(
    recipe: dict[str, object], tmp_path: Path
) -> None:
    study, dataset = prepare(spec(recipe), storied() if recipe["recipe"] == "gpt" else reviewed())
    here, elsewhere = FilesStore(tmp_path / "here"), FilesStore(tmp_path / "elsewhere")
    execution.run(study, here, dataset, TRIALS, workers=2, device="cpu", stack=2)
    catalogue.register(elsewhere, study, dataset, TRIALS)
    for key in here.list(f"{study.prefix}tuning/"):
        elsewhere.put(key, here.get(key))
    trainer = ShardTrainer(elsewhere, study, "cpu", stack=2)  # as a worker: it reads the data
    for shard in [*planned(study, TRIALS)][::-1]:
        trainer.train(shard)
    every = [key for key in here.list(study.prefix) if "/shards/" in key or "/values/" in key]
    assert len(every) == 6
    for key in every:
        with (
            np.load(tmp_path / "here" / key) as one,
            np.load(tmp_path / "elsewhere" / key) as other,
        ):
            for name in set(one.files) - {"seconds", "about", "values"}:
                assert one[name].tobytes() == other[name].tobytes(), (key, name)


def test_a_worker_reads_the_texts_and_the_tokenizer_that_were_stored(tmp_path: Path) -> None:
    study, dataset = prepare(spec({}), reviewed())
    store = FilesStore(tmp_path)
    catalogue.register(store, study, dataset, TRIALS)
    found = catalogue.load_dataset(store, study)
    assert found.texts is not None and dataset.texts is not None
    assert list(found.texts.train) == list(dataset.texts.train)
    assert found.texts.tokenizer == dataset.texts.tokenizer
    assert study.training["vocabulary"] == found.vocabulary
