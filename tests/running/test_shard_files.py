"""The two files of a shard: what was encoded is decoded, and no damage goes unnoticed."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core import training
from memtail_core.errors import DamagedError
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard
from memtail_core.running import shard_files
from memtail_core.running.loading import load_shard
from memtail_core.running.shard_training import train_shard
from memtail_core.running.trials import Trials
from memtail_core.store import archive
from memtail_core.study import Study
from tests.conftest import Trained
from tests.plan.test_designs import study as make_study

FIRST = Shard(0, 5)


@pytest.fixture
def bits(trained: Trained) -> bytes:
    return trained.store.get(FIRST.key(trained.study))


@pytest.fixture
def values(trained: Trained) -> bytes:
    return trained.store.get(FIRST.values_key(trained.study))


@st.composite
def shards(draw: st.DrawFn, *, with_values: bool | None = None) -> tuple[Study, Shard, Trials]:
    """A study and any trials of one of its shards."""
    n, n_test, size = draw(st.integers(2, 40)), draw(st.integers(1, 20)), draw(st.integers(1, 4))
    first = size * draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    study = make_study().model_copy(update={"shard_size": size})
    identity = study.dataset.model_copy(update={"n_train": n, "n_test": n_test})
    study = study.model_copy(update={"dataset": identity})
    has_values = draw(st.booleans()) if with_values is None else with_values

    def packed(width: int) -> np.ndarray:
        return np.packbits(rng.random((size, width)) < 0.5, axis=1)

    def real(width: int) -> np.ndarray | None:
        return (100 * rng.normal(size=(size, width))).astype(np.float16) if has_values else None

    trials = Trials(
        n=n,
        n_test=n_test,
        subset=packed(n),
        train_correct=packed(n),
        test_correct=packed(n_test),
        train_values=real(n),
        test_values=real(n_test),
        trials=np.arange(first, first + size),
        seconds=rng.random(size),
        about=({"study": study.id, "device": draw(st.text(max_size=20))},),
    )
    return study, Shard(first, first + size), trials


def damage(draw: st.DrawFn, whole: bytes) -> bytes:
    """Cut the file short or flip one bit."""
    at = draw(st.integers(0, len(whole) - 1))
    if draw(st.booleans()):
        return whole[:at]
    return whole[:at] + bytes([whole[at] ^ 1 << draw(st.integers(0, 7))]) + whole[at + 1 :]


def assert_same(one: Trials, other: Trials) -> None:
    for name, value in vars(one).items():
        again = getattr(other, name)
        if isinstance(value, np.ndarray):
            assert (value.dtype, value.shape) == (again.dtype, again.shape), name
            assert value.tobytes() == again.tobytes(), name
        else:
            assert value == again, name


@settings(max_examples=50, deadline=None)
@given(made=shards())
def test_what_was_encoded_is_decoded(made: tuple[Study, Shard, Trials]) -> None:
    study, shard, trials = made
    encoded = shard_files.encode(trials)
    assert encoded == shard_files.encode(trials), "the same trials give the same bytes"
    bits = shard_files.decode(encoded.bits, study, shard)
    assert_same(bits.trials, trials.without_values())
    if encoded.values is None:
        assert bits.values is None
        assert trials.train_values is None
    else:
        assert bits.values == hashlib.sha256(encoded.values).hexdigest()
        assert_same(shard_files.with_values(bits, encoded.values, study, shard), trials)


@settings(max_examples=200, deadline=None)
@given(made=shards(with_values=True), data=st.data())
def test_no_flipped_bit_and_no_cut_goes_unnoticed(
    made: tuple[Study, Shard, Trials], data: st.DataObject
) -> None:
    study, shard, trials = made
    encoded = shard_files.encode(trials)
    assert encoded.values is not None
    bits = shard_files.decode(encoded.bits, study, shard)
    with pytest.raises(DamagedError):
        shard_files.decode(data.draw(damaged(encoded.bits)), study, shard)
    with pytest.raises(DamagedError):
        shard_files.with_values(bits, data.draw(damaged(encoded.values)), study, shard)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    return st.composite(damage)(whole)


def test_the_files_are_npz_that_plain_numpy_reads(
    trained: Trained, bits: bytes, values: bytes
) -> None:
    with np.load(io.BytesIO(bits), allow_pickle=False) as file:
        subset = np.unpackbits(file["subset"], axis=1, count=300).astype(bool)
        assert file["trials"].tolist() == [0, 1, 2, 3, 4]
        assert str(file["values"]) == hashlib.sha256(values).hexdigest()
    assert (subset == designs.subsets(trained.study, range(5))).all()
    with np.load(io.BytesIO(values), allow_pickle=False) as file:
        assert file["train_values"].dtype == np.float16
        assert file["train_values"].shape == (5, 300)
        assert file["test_values"].shape == (5, 100)


def test_a_trained_shard_says_what_trained_it(trained: Trained) -> None:
    shard = load_shard(trained.store, trained.study, FIRST)
    assert shard.about[0]["study"] == trained.study.id
    assert {"torch", "numpy", "memtail", "device"} <= shard.about[0].keys()


def test_a_whole_file_in_the_wrong_place_is_refused(
    trained: Trained, bits: bytes, values: bytes
) -> None:
    study, store = trained.study, trained.store
    with pytest.raises(DamagedError, match="holds other trials"):
        shard_files.decode(bits, study, Shard(5, 10))
    with pytest.raises(DamagedError, match="holds other trials"):
        shard_files.decode(bits, study.model_copy(update={"seed": 1}), FIRST)
    second = shard_files.decode(store.get(Shard(5, 10).key(study)), study, Shard(5, 10))
    with pytest.raises(DamagedError, match="holds other trials"):
        shard_files.with_values(second, values, study, Shard(5, 10))
    with pytest.raises(DamagedError, match="no file of a shard"):
        shard_files.decode(values, study, FIRST)
    with pytest.raises(DamagedError, match="no file of a shard"):
        shard_files.decode(archive.packed({"a": np.zeros(1)}), study, FIRST)


def test_values_of_another_training_are_refused(trained: Trained, bits: bytes) -> None:
    """Two machines that round differently may have trained the same shard at the same time."""
    first = load_shard(trained.store, trained.study, FIRST, values=True)
    assert first.train_values is not None
    other = shard_files.encode(replace(first, train_values=first.train_values + np.float16(0.5)))
    assert other.values is not None
    own = shard_files.decode(bits, trained.study, FIRST)
    with pytest.raises(DamagedError, match="were not stored with its bits"):
        shard_files.with_values(own, other.values, trained.study, FIRST)


def test_margins_can_be_switched_off(trained: Trained) -> None:
    study = trained.study.model_copy(update={"margins": False})
    engine = training.restore(study.training).engine("cpu")
    shard, _ = train_shard(study, trained.dataset, Shard(0, 1), engine, "cpu")
    assert shard.train_values is None
    assert shard_files.encode(shard).values is None
