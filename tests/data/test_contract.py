"""The contract of a dataset source; every kind must keep all of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core.data import SOURCES, Dataset, load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable
from tests.data.contract import KINDS, Kind, Truth


@dataclass
class Source:
    """A kind with its truth written into a folder."""

    kind: Kind
    truth: Truth
    folder: Path
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.table = self.kind.write(self.folder, self.truth, self.patch)

    def load(self, **settings: Any) -> Dataset:
        return load(DatasetTable(**self.table, **settings))

    def truth_of(self, part: str) -> tuple[Any, Any, list[str]]:
        """The pool that the training or test set comes from: examples, labels, names."""
        part = "train" if self.truth.x_test is None else part
        x, y = getattr(self.truth, f"x_{part}"), getattr(self.truth, f"y_{part}")
        names = getattr(self.truth, f"{part}_names") or [str(i) for i in range(len(y))]
        return x, y, list(names)

    def indices(self, dataset: Dataset, part: str) -> list[int]:
        """Where each example is in its pool, by the name that the dataset gives it."""
        where = {name: index for index, name in enumerate(self.truth_of(part)[2])}
        name = getattr(dataset, f"{part}_name")
        return [where[name(i)] for i in range(len(getattr(dataset, f"y_{part}")))]


def written(kinds: list[str]) -> Any:
    """A fixture: each of ``kinds``, written into a folder."""

    @pytest.fixture(params=kinds)
    def source(request, tmp_path, monkeypatch):
        kind = KINDS[request.param]
        return Source(kind, kind.truth, tmp_path / "source", monkeypatch)

    return source


source = written(list(KINDS))
with_test = written([name for name, kind in KINDS.items() if kind.truth.x_test is not None])
without_test = written([name for name, kind in KINDS.items() if kind.truth.x_test is None])
with_fixed_options = written([name for name, kind in KINDS.items() if not kind.takes_any_option])


def assert_holds_the_truth(source: Source, dataset: Dataset) -> None:
    for part in ("train", "test"):
        x, y, _ = source.truth_of(part)
        at = source.indices(dataset, part)
        np.testing.assert_array_equal(getattr(dataset, part).whole(), x[at])
        np.testing.assert_array_equal(getattr(dataset, f"y_{part}"), y[at])


def assert_in_class_proportion(drawn: Any, pool: Any) -> None:
    for label in np.unique(pool):
        share = np.mean(pool == label) * len(drawn)
        assert abs(np.sum(drawn == label) - share) < 1, f"class {label}"


def test_every_source_there_is_runs_through_this_contract():
    assert {name.split()[0] for name in KINDS} == set(SOURCES)


def test_examples_are_contiguous_arrays_of_the_documented_types_and_shapes(source):
    dataset = source.load()
    images = source.truth.x_train.ndim == 4
    assert dataset.modality.name == ("images" if images else "features")
    assert dataset.shape == source.truth.x_train.shape[1:]
    for x, y in ((dataset.train.whole(), dataset.y_train), (dataset.test.whole(), dataset.y_test)):
        assert x.dtype == (np.uint8 if images else np.float32)
        assert y.dtype == np.int64
        assert x.shape == (len(y), *dataset.shape)
        assert x.flags.c_contiguous


def test_every_value_and_label_is_the_one_in_the_source(source):
    dataset = source.load()
    assert_holds_the_truth(source, dataset)
    assert dataset.classes == source.truth.classes


def test_a_test_set_in_the_source_is_the_test_set_whole_and_in_order(with_test):
    dataset = with_test.load()
    for part in ("train", "test"):
        everything = list(range(len(with_test.truth_of(part)[1])))
        assert with_test.indices(dataset, part) == everything


def test_labels_are_indices_of_class_names(source):
    dataset = source.load()
    for y in (dataset.y_train, dataset.y_test):
        assert 0 <= y.min() <= y.max() < len(dataset.classes)


def test_loading_twice_gives_the_same_digest_whatever_the_global_random_state(source):
    np.random.seed(1)
    first = source.load(train_limit=20, test_limit=5)
    np.random.seed(2)
    second = source.load(train_limit=20, test_limit=5)
    assert first.sha256 == second.sha256


def test_the_same_content_in_another_place_has_the_same_digest(source, tmp_path):
    before = source.load().sha256
    elsewhere = Source(source.kind, source.truth, tmp_path / "elsewhere", source.patch)
    assert elsewhere.load().sha256 == before


@pytest.mark.parametrize(
    ("name", "what"), [(name, what) for name, kind in KINDS.items() for what in kind.changes]
)
def test_any_change_of_the_content_changes_the_digest(name, what, tmp_path, monkeypatch):
    kind = KINDS[name]
    before = Source(kind, kind.truth, tmp_path / "before", monkeypatch).load()
    after = Source(kind, kind.truth.changed(what), tmp_path / "after", monkeypatch).load()
    assert before.sha256 != after.sha256
    assert len(before.y_train) == len(after.y_train)


def test_limits_keep_that_many_examples_in_class_proportion(source):
    whole, limited = source.load(), source.load(train_limit=20, test_limit=7)
    assert (len(limited.y_train), len(limited.y_test)) == (20, 7)
    assert_in_class_proportion(limited.y_train, whole.y_train)
    assert_in_class_proportion(limited.y_test, whole.y_test)
    assert limited.classes == whole.classes


def test_limited_examples_keep_their_names_values_and_order(source):
    limited = source.load(train_limit=20, test_limit=7)
    assert_holds_the_truth(source, limited)
    for part in ("train", "test"):
        at = source.indices(limited, part)
        assert at == sorted(set(at))


def test_a_limit_of_one_set_leaves_the_other_as_it_is(source):
    whole, train, test = source.load(), source.load(train_limit=20), source.load(test_limit=7)
    np.testing.assert_array_equal(train.test.whole(), whole.test.whole())
    np.testing.assert_array_equal(test.train.whole(), whole.train.whole())


def test_a_limit_beyond_the_data_changes_nothing(source):
    assert source.load(train_limit=10**6, test_limit=10**6).sha256 == source.load().sha256


def test_without_a_test_set_one_is_split_off_disjoint_and_nothing_is_lost(without_test):
    dataset = without_test.load(test_fraction=0.25)
    n = len(without_test.truth.y_train)
    train = without_test.indices(dataset, "train")
    test = without_test.indices(dataset, "test")
    assert len(test) == round(0.25 * n)
    assert sorted(train + test) == list(range(n))
    assert train == sorted(train)
    assert test == sorted(test)


def test_a_split_test_set_has_the_classes_in_proportion_but_is_no_regular_slice(without_test):
    dataset = without_test.load(test_fraction=0.25)
    assert_in_class_proportion(dataset.y_test, without_test.truth.y_train)
    steps = np.diff(without_test.indices(dataset, "test"))
    assert len(np.unique(steps)) > 2


def test_a_test_set_in_the_source_ignores_the_test_fraction(with_test):
    assert with_test.load(test_fraction=0.5).sha256 == with_test.load().sha256


def test_a_stored_dataset_comes_back_identical(source):
    dataset = source.load(train_limit=20)
    back = Dataset.from_npz(dataset.to_npz(), dataset.sha256)
    for part in ("train", "test"):
        ours, theirs = (getattr(each, part).whole() for each in (dataset, back))
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(*(getattr(each, f"y_{part}") for each in (dataset, back)))
        assert getattr(back, f"y_{part}").dtype == np.int64
    assert back.classes == dataset.classes
    assert (back.train_names, back.test_names) == (dataset.train_names, dataset.test_names)
    assert back.sha256 == dataset.sha256


def test_packed_data_are_the_same_data_with_the_same_digest(source):
    settings = {"train_limit": 20, "test_limit": 7}
    memory = source.load(storage="memory", **settings)
    packed = source.load(storage="packed", **settings)
    assert packed.train.is_mapped
    assert packed.sha256 == memory.sha256
    assert packed.account.lines == memory.account.lines
    for part in ("train", "test"):
        ours, theirs = (getattr(each, part).whole() for each in (packed, memory))
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(packed.moments, memory.moments, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_damaged_stored_dataset_is_refused(source):
    dataset = source.load(train_limit=20)
    content = bytearray(dataset.to_npz())
    content[content.index(dataset.train.whole().tobytes()) + 3] ^= 1
    with pytest.raises(DatasetError, match="damaged"):
        Dataset.from_npz(bytes(content), dataset.sha256)


def test_another_dataset_under_the_same_digest_is_refused(source):
    dataset, other = source.load(), source.load(train_limit=20)
    with pytest.raises(DatasetError, match="digest differs"):
        Dataset.from_npz(other.to_npz(), dataset.sha256)


def test_a_misspelt_setting_is_refused_with_a_suggestion(with_fixed_options):
    with pytest.raises(StudyError, match=r"train_limt .*did you mean 'train_limit'"):
        with_fixed_options.load(train_limt=20)
