"""A page of many examples: a sample that holds what the page speaks of, with the same numbers."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.memory import own_peak
from benchmarks.untrained import Sizes, make
from memtail_core.analysis import Analysis
from memtail_core.report.exploration import Exploration, encoded, explore, shown_examples
from memtail_core.report.exploration.shown_examples import Spoken
from memtail_core.report.figures import figures
from memtail_core.report.page import page
from memtail_core.report.publication import publish
from memtail_core.report.stored_analysis import analyse_stored
from memtail_core.store import FilesStore
from tests.conftest import Trained
from tests.report.simulated_exploration import simulated

NONE = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def analysis(trained: Trained) -> Analysis:
    return trained.analysis


@pytest.fixture(scope="module")
def whole(analysis: Analysis) -> Exploration:
    return explore(analysis)


@pytest.fixture
def few() -> Iterator[None]:
    """Pages hold 80 training and 40 test examples."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_MOST_PICTURED", 0), ("_TRAIN", 80), ("_TEST", 40)):
            patch.setattr(shown_examples, name, value)
        patch.setattr(shown_examples, "_MOST_MEMORIZED", 20)
        yield


@pytest.fixture
def sample(analysis: Analysis, few: None) -> Exploration:
    return explore(analysis, shown_train=[7], shown_test=[3])


def test_a_page_that_has_room_holds_every_example(whole: Exploration) -> None:
    assert whole.shown is None
    said = encoded(whole)
    assert "rows" not in said["train"]
    assert "total" not in said["test"]


def test_a_sample_holds_what_the_page_speaks_of_and_the_most_memorized(
    sample: Exploration, analysis: Analysis
) -> None:
    shown = sample.shown
    assert shown is not None
    assert (len(shown.train), len(shown.test)) == (80, 40)
    assert (np.diff(shown.train) > 0).all()
    assert {7, *analysis.pairs.train_index.tolist()} <= set(shown.train.tolist())
    assert {3, *analysis.pairs.test_index.tolist()} <= set(shown.test.tolist())
    most = np.argsort(-analysis.scores.memorization, kind="stable")[:20]
    assert set(most.tolist()) <= set(shown.train.tolist())


def test_the_rest_of_a_sample_is_of_every_class_from_least_to_most(few: None) -> None:
    made = simulated(5000, 1000)
    dataset, memorization = made.dataset, np.nan_to_num(made.scores.memorization)
    shown = shown_examples.shown_examples(
        dataset, memorization, made.test_accuracy, Spoken(NONE, NONE)
    )
    assert shown is not None
    most = np.argsort(-memorization, kind="stable")[:20]
    rest = np.setdiff1d(shown.train, most)
    for label in range(10):
        members = np.setdiff1d(np.flatnonzero(dataset.y_train == label), most)
        picked = rest[dataset.y_train[rest] == label]
        assert abs(len(picked) - 60 * len(members) / (5000 - 20)) <= 1, "its share"
        ranks = np.sort(np.searchsorted(np.sort(memorization[members]), memorization[picked]))
        assert ranks[0] <= 2 * len(members) / len(picked), "from the least memorized on"


def test_more_than_fits_is_kept_if_the_page_speaks_of_it(few: None) -> None:
    made = simulated(300, 100)
    spoken = Spoken(np.arange(0, 300, 2), np.arange(60))
    shown = shown_examples.shown_examples(
        made.dataset, made.scores.memorization, made.test_accuracy, spoken
    )
    assert shown is not None
    assert set(spoken.train.tolist()) <= set(shown.train.tolist())
    assert shown.test.tolist() == list(range(60))


def test_influence_in_a_sample_is_that_among_all_examples(
    whole: Exploration, sample: Exploration
) -> None:
    shown = sample.shown
    assert shown is not None
    for mine, all_of_them, rows in (
        (sample.supported, whole.supported, shown.train),
        (sample.supporters, whole.supporters, shown.test),
    ):
        for name, values in vars(all_of_them).items():
            np.testing.assert_array_equal(getattr(mine, name), values[rows])
    index = sample.neighbours.index
    assert set(index[index >= 0].tolist()) <= set(shown.train.tolist())
    assert (index != shown.train[:, None]).all(), "none is its own neighbour"


def test_a_sample_says_which_examples_it_has_of_how_many(
    whole: Exploration, sample: Exploration, analysis: Analysis
) -> None:
    shown, said = sample.shown, json.loads(json.dumps(encoded(sample), allow_nan=False))
    assert shown is not None
    assert (said["train"]["n"], said["train"]["total"]) == (80, 300)
    assert (said["test"]["n"], said["test"]["total"]) == (40, 100)
    assert said["pairs"] == encoded(whole)["pairs"], "pairs have the numbers of the dataset"
    html = page(analysis, figures(analysis), (), encoded(sample))
    assert "This page holds 80 of the 300 training examples and 40 of the" in " ".join(html.split())
    assert sample.train_sheets is not None
    assert len(sample.train_sheets.position) == 80
    assert (sample.train_sheets.position >= 0).all()


def test_many_names_make_a_page_that_is_a_sample() -> None:
    made = simulated(3000, 100)
    assert shown_examples.n_bytes(made.dataset) < 2_000_000
    long = replace(made.dataset, train_names=("x" * 4000,) * 3000)
    spoken = Spoken(NONE, NONE)
    arguments = made.scores.memorization, made.test_accuracy, spoken
    assert shown_examples.shown_examples(made.dataset, *arguments) is None
    assert shown_examples.shown_examples(long, *arguments) is not None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the peak of a process")
def test_the_memory_of_a_report_does_not_grow_with_the_number_of_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))
    for name, value in (("_MOST_PICTURED", 0), ("_TRAIN", 500), ("_TEST", 300)):
        monkeypatch.setattr(shown_examples, name, value)
    store, n, n_test = FilesStore(tmp_path / "runs"), 50_000, 12_000
    study = make(store, Sizes(n, n_test, 50, side=4), 20, shard_size=10)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
    before = own_peak()
    publish(store, analyse_stored(store, study))
    assert own_peak() - before < n * n_test / 2, "half a byte of each pair"
