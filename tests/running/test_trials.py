import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.errors import StoreError
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard
from memtail_core.running import trials
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained

FIRST = Shard(0, 5)


@pytest.fixture
def content(trained: Trained) -> bytes:
    return trained.store.get(FIRST.key(trained.study))


def test_a_shard_is_an_npz_that_plain_numpy_reads(trained: Trained, content: bytes) -> None:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        subset = np.unpackbits(file["subset"], axis=1, count=300).astype(bool)
        assert file["train_margin"].dtype == np.float16
        assert file["train_margin"].shape == (5, 300)
        assert file["trials"].tolist() == [0, 1, 2, 3, 4]
    assert (subset == designs.subsets(trained.study, range(5))).all()


def test_what_was_encoded_is_decoded(trained: Trained, content: bytes) -> None:
    shard = trials.decode(content, trained.study, FIRST)
    again = trials.decode(trials.encode(shard), trained.study, FIRST)
    for name, value in vars(shard).items():
        other = getattr(again, name)
        assert value.tobytes() == other.tobytes() if isinstance(value, np.ndarray) else True, name
    assert again.about == shard.about
    assert shard.about[0]["study"] == trained.study.id
    assert {"torch", "numpy", "memtail", "device"} <= shard.about[0].keys()


def test_encoding_the_same_trials_gives_the_same_bytes(trained: Trained, content: bytes) -> None:
    assert trials.encode(trials.decode(content, trained.study, FIRST)) == content


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_and_no_cut_goes_unnoticed(trained: Trained, data: st.DataObject) -> None:
    whole = trained.store.get(FIRST.key(trained.study))
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:at]
    else:
        bit = 1 << data.draw(st.integers(0, 7))
        damaged = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
    with pytest.raises(StoreError):
        trials.decode(damaged, trained.study, FIRST)


def test_a_whole_shard_in_the_wrong_place_is_refused(trained: Trained, content: bytes) -> None:
    with pytest.raises(StoreError, match="holds other trials"):
        trials.decode(content, trained.study, Shard(5, 10))
    other = trained.study.model_copy(update={"seed": 1})
    with pytest.raises(StoreError, match="holds other trials"):
        trials.decode(content, other, FIRST)


def test_damaged_shards_are_set_aside_and_not_averaged_in(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    store = FilesStore(tmp_path / "runs")
    key = Shard(10, 15).key(trained.study)
    store.put(key, store.get(key)[:-1000])
    loaded, damaged = trials.load(store, trained.study)
    assert len(loaded) == 35
    assert [(d.shard, d.key) for d in damaged] == [(Shard(10, 15), key)]
    assert store.exists(key), "reading moves nothing"
    loaded, damaged = trials.load(store, trained.study, set_aside=True)
    assert len(loaded) == 35
    assert not set(loaded.trials) & set(range(10, 15))
    assert [(d.shard, d.key) for d in damaged] == [
        (Shard(10, 15), key.replace("/shards/", "/damaged/"))
    ]
    assert not store.exists(key)
    assert store.exists(damaged[0].key), "kept for whoever wants to look"


def test_loading_all_keeps_order_and_drops_margins_unless_asked(trained: Trained) -> None:
    loaded, _ = trials.load(trained.store, trained.study)
    assert loaded.trials.tolist() == list(range(40))
    assert loaded.train_margin is None
    assert len(loaded.about) == 1, "one machine, one provenance"
    full, _ = trials.load(trained.store, trained.study, margins=True)
    assert full.train_margin is not None
    assert full.train_margin.shape == (40, 300)
    correct = np.unpackbits(full.train_correct, axis=1, count=300).astype(bool)
    assert correct[full.train_margin > 0.01].all()


def test_a_study_without_trials_loads_as_none(trained: Trained, tmp_path: Path) -> None:
    loaded, damaged = trials.load(FilesStore(tmp_path), trained.study)
    assert len(loaded) == 0
    assert damaged == []
    assert loaded.subset.shape == (0, 38)


def test_accuracies_are_held_in_held_out_and_test() -> None:
    subset = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 1]], bool)
    train = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 1, 1]], bool)
    test = np.array([[1, 0, 0, 0], [1, 1, 1, 0]], bool)
    accuracies = made(subset, train, test).accuracies()
    assert accuracies.held_in.tolist() == [0.5, 1.0]
    assert accuracies.held_out.tolist() == [pytest.approx(2 / 3), 0.0]
    assert accuracies.test.tolist() == [0.25, 0.75]


def made(subset: np.ndarray, train: np.ndarray, test: np.ndarray) -> Trials:
    packed = [np.packbits(bits, axis=1) for bits in (subset, train, test)]
    t = len(subset)
    return Trials(
        n=subset.shape[1],
        n_test=test.shape[1],
        subset=packed[0],
        train_correct=packed[1],
        test_correct=packed[2],
        train_margin=None,
        test_margin=None,
        trials=np.arange(t),
        seconds=np.ones(t),
        about=({"study": "made"},),
    )


def test_margins_can_be_switched_off(trained: Trained) -> None:
    from memtail_core import training

    study = trained.study.model_copy(update={"margins": False})
    engine = training.restore(study.training).engine("cpu")
    shard = trials.train(study, trained.dataset, Shard(0, 1), engine, "cpu")
    assert shard.train_margin is None
    assert len(trials.encode(shard)) < len(trials.encode(replace_margins(shard)))


def replace_margins(shard: Trials) -> Trials:
    zeros = np.zeros((1, 300), np.float16)
    return replace(shard, train_margin=zeros, test_margin=zeros[:, :100])


def test_a_shard_that_cannot_be_read_now_is_not_taken_for_damaged(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    store = FilesStore(tmp_path / "runs")
    whole, key = FilesStore.get, FIRST.key(trained.study)

    def get(self: FilesStore, asked: str) -> bytes:
        if asked == key:
            raise StoreError("Input/output error")
        return whole(self, asked)

    monkeypatch.setattr(FilesStore, "get", get)
    with pytest.raises(StoreError, match="Input/output error"):
        trials.load(store, trained.study, set_aside=True)
    assert store.exists(key)
