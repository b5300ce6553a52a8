"""The page of a study of texts: what it shows of them, what it escapes, how large it is."""

import json
from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.analysis import Analysis, analyse
from memtail_core.data.modalities.text.cleaning import BETWEEN
from memtail_core.plan.shards import planned
from memtail_core.report.exploration.feature_text import beginning
from memtail_core.report.page.inline_scripts import as_json
from memtail_core.report.publication import publish
from memtail_core.running import loading
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.report.simulated_exploration import simulated_exploration
from tests.report.test_page import Read
from tests.texts import reviewed


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, str]:
    """The analysis and the page of 60 models of a bag."""
    spec = Spec.parse(
        {
            "study": {"name": "texts", "shard_size": 60},
            "dataset": {"source": "python:reviews:load"},
            "training": {"recipe": "bag", "buckets": 512, "epochs": 40, "batch_size": 64},
        }
    )
    study, dataset = prepare(spec, reviewed())
    store = FilesStore(tmp_path_factory.mktemp("texts"))
    catalogue.register(store, study, dataset, 60)
    trainer = ShardTrainer(store, study, "cpu")
    for shard in planned(study, 60):
        trainer.train(shard)
    loaded, _ = loading.load(store, study)
    analysis = analyse(study, catalogue.load_dataset(store, study), loaded)
    publish(store, analysis)
    return analysis, store.get(f"{study.prefix}report/index.html").decode()


def test_turned_labels_are_memorized_and_their_texts_shown(published: tuple[Analysis, str]) -> None:
    analysis, html = published
    memorization = analysis.scores.memorization
    assert np.median(memorization[:12]) > 0.6, "the turned labels"
    assert np.median(memorization[12:]) < 0.1
    texts = analysis.dataset.texts
    assert texts is not None
    first = int(np.argmax(memorization))
    assert f'<span dir="auto">{texts.train[first]}</span>' in html
    assert '<main class="table text"' in html
    read = Read(html)
    data = read.json("data")
    assert data["kind"] == "text"
    assert data["train"]["text"] == list(texts.train)


def test_ten_thousand_long_texts_of_any_language_are_less_than_15_mb() -> None:
    data = simulated_exploration(10_000, 2_000, "text")
    page = as_json(data)
    assert len(page.encode()) < 12 * 10**6
    assert "<img" not in page
    assert json.loads(page)["train"]["text"][3].startswith("3 ")
    assert all(text.endswith("…") for text in data["train"]["text"])


def test_a_beginning_is_cut_between_characters() -> None:
    assert beginning("映画はとても", 8) == "映画…"
    assert beginning("short", 8) == "short"
    assert beginning(f"one{BETWEEN}two", 99) == "one ‖ two"


def test_a_page_of_a_few_texts_shows_them_whole(tmp_path: Path) -> None:
    del tmp_path
    data = simulated_exploration(30, 10, "text")
    assert all(len(text.encode()) <= 1003 for text in data["train"]["text"])
    assert min(len(text.encode()) for text in data["train"]["text"]) > 900
