"""Values that are larger than memory are mapped: the same numbers, and bounded memory."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memtail_core.errors import MachineError
from memtail_core.estimation.mean_sums import sides
from memtail_core.estimation.measures import MARGIN
from memtail_core.running import loading, mapped_values
from memtail_core.running.mapped_values import MappedValues
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained

N, N_TEST, AT_ONCE, PARTS = 40_000, 2_000, 4, 120
VALUES_BYTES = PARTS * AT_ONCE * (N + N_TEST) * 2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def parts() -> Iterator[Trials]:
    rng = np.random.default_rng(0)
    subset = rng.integers(256, size=(AT_ONCE, N // 8), dtype=np.uint8)
    values = rng.normal(size=(AT_ONCE, N)).astype(np.float16)
    for k in range(PARTS):
        yield Trials(
            n=N,
            n_test=N_TEST,
            subset=np.roll(subset, k, axis=1),
            train_correct=subset,
            test_correct=subset[:, : N_TEST // 8],
            train_values=np.roll(values, k, axis=1),
            test_values=values[:, :N_TEST],
            trials=np.arange(AT_ONCE) + k * AT_ONCE,
            seconds=np.ones(AT_ONCE),
            about=({},),
        )


def test_means_of_mapped_values_are_the_same_bits_in_a_fraction_of_the_memory() -> None:
    sides(np.zeros((2, 1), np.uint8), np.zeros((2, 8), np.float16), MARGIN)  # compiles
    tracemalloc.start()
    try:
        mapped = MappedValues()
        bits = [mapped.moved(part) for part in parts()]
        trials = mapped.mapped(Trials.joined(bits))
        assert trials.train_values is not None
        found = sides(trials.subset, trials.train_values, MARGIN)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < VALUES_BYTES / 2, "bits, sums and one part, not the values"
    whole = Trials.joined(list(parts()))
    assert whole.train_values is not None
    for mine, theirs in zip(found, sides(whole.subset, whole.train_values, MARGIN), strict=True):
        for name, array in vars(mine).items():
            np.testing.assert_array_equal(array, vars(theirs)[name])


def test_values_that_one_part_lacks_are_unknown() -> None:
    mapped = MappedValues()
    first, second = (next(parts()) for _ in range(2))
    bits = [mapped.moved(first), mapped.moved(second.without_values())]
    trials = mapped.mapped(Trials.joined(bits))
    assert trials.train_values is None
    assert trials.test_values is None


def test_a_study_loads_as_from_memory(
    trained: Trained, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FilesStore(trained.folder)
    whole, _ = loading.load(store, trained.study, values=True)
    monkeypatch.setattr(mapped_values, "MOST_IN_MEMORY", 0)
    mapped, damaged = loading.load(store, trained.study, values=True)
    assert damaged == []
    for name in ("train_values", "test_values", "subset", "test_correct", "trials"):
        np.testing.assert_array_equal(getattr(mapped, name), getattr(whole, name))
    assert mapped.train_values is not None
    assert not mapped.train_values.flags.owndata
    assert not mapped.train_values.flags.writeable
    del mapped
    gc.collect()
    assert list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(MachineError, match=r"cannot write to '.*cache': Not a directory"):
        MappedValues()


def test_a_full_disk_is_one_line() -> None:
    mapped = MappedValues()
    with Path("/dev/full").open("wb", buffering=0) as full:
        mapped._files["train_values"] = full
        with pytest.raises(MachineError, match="no room for the values of the models"):
            mapped.moved(next(parts()))
