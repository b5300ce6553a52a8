"""Features are computed once for all who train, and every model is the same whoever trains it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.catalogue import weights as catalogued
from memtail_core.data.neighbours import Space
from memtail_core.data.weights import PREFIX, kept, weights_key
from memtail_core.errors import MachineError, StoreError, StudyError
from memtail_core.exchange.example_list import example_list
from memtail_core.exchange.stored import StoredStudy
from memtail_core.plan.shards import Shard
from memtail_core.report.exploration import explore
from memtail_core.running import execution, features, loading, shard_files
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.preparation import Prepared, prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.settings import settings
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from memtail_core.training.backbones import extractor, options
from memtail_core.training.backbones.extractor import Extractor
from tests.training.backbones.test_engines import SMALL
from tests.training.backbones.user_backbone import small

N = 300 + 100  # examples, in three parts


def spec(training: dict[str, Any] | None = None, dataset: dict[str, Any] | None = None) -> Spec:
    return Spec.parse(
        {
            "study": {"name": "tuned", "trials": 20, "shard_size": 5},
            "dataset": {"source": "sklearn:digits", "train_limit": 300, "test_limit": 100}
            | (dataset or {}),
            "training": SMALL | (training or {}),
        }
    )


@pytest.fixture
def study(tmp_path: Path) -> Prepared:
    return prepare(spec())


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path / "runs")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many features this process computes at each call."""
    calls, original, lock = list[int](), Extractor.features, threading.Lock()

    def counted(self: Extractor, x: Any, *others: Any) -> Any:
        with lock:
            calls.append(len(x))
        return original(self, x, *others)

    monkeypatch.setattr(Extractor, "features", counted)
    yield calls


def shards(store: FilesStore, prepared: Prepared) -> list[tuple[bytes, bytes]]:
    """What each shard says, without who trained it and how long it took."""
    every = []
    for shard in [Shard(first, first + 5) for first in range(0, 10, 5)]:
        bits = shard_files.decode(store.get(shard.key(prepared.study)), prepared.study, shard)
        values = store.get(shard.values_key(prepared.study))
        trials = shard_files.with_values(bits, values, prepared.study, shard)
        assert trials.train_values is not None
        every.append((trials.test_correct.tobytes(), trials.train_values.tobytes()))
    return every


class Watch(ProgressListener):
    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def features_computed(self, done: int, total: int) -> None:
        self.told.append((done, total))


def test_a_run_computes_features_once_and_tells_how_far_it_is(
    store: FilesStore, study: Prepared, computed: list[int]
) -> None:
    watch = Watch()
    trials = execution.run(study.study, store, study.dataset, 10, workers=1, observer=watch)
    assert sorted(computed) == [44, 100, 256]
    assert watch.told[0] == (0, N)
    assert watch.told[-1] == (N, N)
    assert [done for done, _ in watch.told] == sorted(done for done, _ in watch.told)
    assert trials.accuracies().held_in.mean() > 0.97
    assert analyse(study.study, study.dataset, trials).scores.memorization.shape == (300,)
    again, watch = prepare(spec()), Watch()
    execution.run(again.study, store, again.dataset, 20, workers=1, observer=watch)
    other = prepare(spec({"head": "mlp", "epochs": 2}))
    execution.run(other.study, store, other.dataset, 10, workers=1, observer=watch)
    assert len(computed) == 3, "a longer study, and one with other heads, read them"
    assert not watch.told


@pytest.mark.parametrize(
    "training",
    [
        {},
        pytest.param({"head": "mlp", "epochs": 3, "precision": "float32"}, marks=pytest.mark.slow),
        {"frozen": False, "epochs": 2, "precision": "float32"},
        pytest.param(
            {"frozen": "last-block", "epochs": 2, "precision": "float32"}, marks=pytest.mark.slow
        ),
    ],
)
def test_the_same_bits_with_any_number_of_workers_and_packed_data(
    tmp_path: Path, training: dict[str, Any]
) -> None:
    found = {}
    for name, workers, storage in (
        ("one", 1, "memory"),
        ("two", 2, "memory"),
        ("map", 1, "packed"),
    ):
        prepared = prepare(spec(training, {"storage": storage}))
        store = FilesStore(tmp_path / name)
        execution.run(prepared.study, store, prepared.dataset, 10, workers=workers, stack=1)
        found[name] = prepared.study.id, shards(store, prepared)
        assert prepared.dataset.train.is_mapped == (storage == "packed")
    assert found["one"] == found["two"] == found["map"]


def test_an_interrupted_computation_goes_on_and_a_damaged_part_is_computed_again(
    store: FilesStore, study: Prepared, computed: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    features.supply(store, study.study, study.dataset, "cpu")
    (first, *_) = prefix = [key for key in store.list("features/") if key.endswith(".npz")]
    assert len(prefix) == 3
    (whole,) = study.dataset.derived.values()
    content = bytearray(store.get(first))
    content[700] ^= 1
    store.put(first, bytes(content))
    store.delete(prefix[2])
    computed.clear()
    again = prepare(spec())
    features.supply(store, again.study, again.dataset, "cpu")
    assert sorted(computed) == [100, 256]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("Warning: the features of the examples 0 to 255 are not used (its SHA")
    (same,) = again.dataset.derived.values()
    assert same.train.whole().tobytes() == whole.train.whole().tobytes()
    assert same.test.whole().tobytes() == whole.test.whole().tobytes()
    assert list(store.list("features/")) == prefix, "no claim is left"


def test_features_of_something_else_are_damaged(
    store: FilesStore, study: Prepared, computed: list[int]
) -> None:
    """Whole files of the wrong content, as someone may have put there."""
    from memtail_core.store import archive

    features.supply(store, study.study, study.dataset, "cpu")
    first, second, third = store.list("features/")
    store.put(first, store.get(second))
    store.put(second, archive.packed({"features": np.full((44, 256), np.nan, np.float32)}))
    store.put(third, archive.packed({"other": np.zeros(3)}))
    computed.clear()
    again = prepare(spec())
    features.supply(store, again.study, again.dataset, "cpu")
    assert sorted(computed) == [44, 100, 256]


def test_who_comes_at_the_same_time_shares_the_work(
    store: FilesStore, study: Prepared, computed: list[int]
) -> None:
    every = [prepare(spec()) for _ in range(3)]
    threads = [
        threading.Thread(target=features.supply, args=(store, *each, "cpu")) for each in every
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(computed) == [44, 100, 256], "no part is computed twice"
    made = [next(iter(each.dataset.derived.values())) for each in every]
    assert len({each.train.whole().tobytes() for each in made}) == 1


def test_signed_features_are_not_replaced_by_others(
    store: FilesStore, study: Prepared, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    features.supply(store, study.study, study.dataset, "cpu")
    monkeypatch.setenv("MEMTAIL_SHARD_KEY", "a key of the tests")
    computed.clear()
    again = prepare(spec())
    features.supply(store, again.study, again.dataset, "cpu")
    assert len(computed) == 3, "unsigned ones count as damaged"


@pytest.fixture
def from_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """A study whose weights are in a file, of a machine with a cache of its own."""
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))
    body = small()
    with torch.no_grad():
        body[0][0].bias.add_(0.1)
    torch.save(body.state_dict(), tmp_path / "weights.pt")
    return spec({"weights": str(tmp_path / "weights.pt")})


def forget() -> None:
    """Forget what this process has loaded, as a new one has not."""
    for cached in (kept, extractor._network, extractor._width):
        cached.cache_clear()


def test_another_machine_needs_no_file(
    store: FilesStore, from_file: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(from_file)
    assert prepared.study.id != prepare(spec()).study.id, "other weights, another study"
    named = prepared.study.training["weights"]
    assert named.startswith(PREFIX)
    catalogue.register(store, prepared.study, prepared.dataset, 20)
    (tmp_path / "weights.pt").unlink()
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "elsewhere"))
    forget()
    trainer = ShardTrainer(store, catalogue.read(store, prepared.study.id), "cpu")
    assert trainer.train(Shard(0, 5)).accuracy["held_in"] > 0.97
    first = store.get(Shard(0, 5).values_key(prepared.study))
    ShardTrainer(store, prepared.study, "cpu").train(Shard(0, 5))
    assert store.get(Shard(0, 5).values_key(prepared.study)) == first, "a retry: the same bits"


def test_weights_that_are_missing_or_damaged_are_one_sentence(
    store: FilesStore, from_file: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(from_file)
    key = weights_key(prepared.study.training["weights"].removeprefix(PREFIX))
    catalogue.register(store, prepared.study, prepared.dataset, 20)
    whole = store.get(key)
    store.put(key, whole[:-100])
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "elsewhere"))
    forget()
    with pytest.raises(MachineError, match=r"weights .* are not in the cache of this machine"):
        ShardTrainer(store, prepared.study, "cpu")
    with pytest.raises(StoreError, match=r"lacks the weights of .*: run the study again from its"):
        catalogued.put_weights(store, prepared.study, verify=True)
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))
    catalogue.register(store, prepared.study, prepared.dataset, 20, verify=True)
    assert store.get(key) == whole
    assert FilesStore(settings().cache).get(key) == whole
    with pytest.raises(StudyError, match="there is no such file"):
        prepare(spec({"weights": str(tmp_path / "nothing.pt")}))


def test_neighbours_in_reports_and_lists_are_near_by_the_features(
    store: FilesStore, study: Prepared, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also against brute force over all standardized features."""
    execution.run(study.study, store, study.dataset, 5, workers=1)
    computed.clear()
    monkeypatch.setattr(options, "function", None)  # whoever reads imports no code of a user
    dataset = catalogue.load_dataset(store, study.study)
    compared = features.stored(store, study.study, dataset)
    assert compared is not None
    assert not computed
    x = compared.train.whole()
    assert x.shape[0] == 300
    (direct,) = study.dataset.derived.values()
    np.testing.assert_array_equal(x, direct.train.whole())
    np.testing.assert_array_equal(compared.test.whole(), direct.test.whole())
    nearest = Space.of(compared).of_train(3).index
    listed = example_list(StoredStudy(store, study.study), "csv")
    np.testing.assert_array_equal(listed.neighbours, nearest)
    trials, _ = loading.load(store, study.study)
    explored = explore(analyse(study.study, dataset, trials), compared=compared)
    assert explored.is_by_backbone
    np.testing.assert_array_equal(explored.neighbours.index[:, :3], nearest)
    points = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    apart = np.linalg.norm(points[:, None].astype(float) - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    agree = [
        (apart.argmin(1) == found.of_train(1).index[:, 0]).mean()
        for found in (Space.of(compared), Space.of(dataset))
    ]
    assert agree[0] > 0.8, "components keep most of what is near"
    assert agree[1] < 0.6, "pixels are another space"


def test_without_all_features_examples_are_compared_by_pixels(
    store: FilesStore, study: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    assert features.stored(store, study.study, study.dataset) is None, "none is stored"
    execution.run(study.study, store, study.dataset, 5, workers=1)
    fresh = catalogue.load_dataset(store, study.study)
    (key, *_) = sorted(store.list("features/"))
    store.put(key, store.get(key)[:-20])
    assert features.stored(store, study.study, fresh) is None
    assert "examples are compared by pixels" in capsys.readouterr().err
    store.delete(key)
    assert features.stored(store, study.study, fresh) is None
    whole = prepare(spec({"frozen": False, "epochs": 2})).study
    assert features.stored(store, whole, fresh) is None, "its networks have features of their own"
    assert capsys.readouterr().err == ""
