"""``npz:``: arrays that numpy saved."""

import os
import pickle

import numpy as np
import pytest

from memtail_core.data import load
from memtail_core.errors import DatasetError
from memtail_core.study import DatasetTable

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 2


@pytest.fixture
def file(tmp_path):
    return tmp_path / "arrays.npz"


def read(file, **settings):
    return load(DatasetTable(source=f"npz:{file}", **settings))


def refused(file, match, **settings):
    with pytest.raises(DatasetError, match=match) as caught:
        read(file, **settings)
    return str(caught.value)


def test_a_file_that_is_not_there_is_refused_with_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused("gone.npz", f"cannot read '{tmp_path / 'gone.npz'}': No such file")


def test_a_folder_is_refused(tmp_path):
    refused(tmp_path, "cannot read .*[Dd]irectory")


class Trap:
    """Its unpickling makes a folder: the trace of having run."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("part", ["x_train", "y_train", "classes", "unused"])
def test_a_pickled_array_is_refused_and_nothing_in_it_runs(file, tmp_path, part):
    trace = tmp_path / "it ran"
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(trace)
    np.savez(file, **{"x_train": X, "y_train": Y, part: trap})
    refused(file, "holds Python objects: save plain arrays")
    assert not trace.exists()


def test_a_bare_pickle_is_refused_and_nothing_in_it_runs(file, tmp_path):
    trace = tmp_path / "it ran"
    file.write_bytes(pickle.dumps(Trap(trace)))
    refused(file, "arrays.npz")
    assert not trace.exists()


def test_a_single_array_is_refused_with_the_way_to_save_several(tmp_path):
    np.save(tmp_path / "one.npy", X)
    refused(tmp_path / "one.npy", "is one array: save several with np.savez")


@pytest.mark.parametrize("content", [b"", b"x_train = [1, 2, 3]\n" * 9], ids=["empty", "text"])
def test_a_file_that_is_no_npz_is_refused_as_such(file, content):
    file.write_bytes(content)
    refused(file, "is not an npz file, or is damaged")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_damaged_anywhere_is_refused_or_its_arrays_are_whole(file, save):
    save(file, x_train=X, y_train=Y)
    whole = file.read_bytes()
    sha256 = read(file).sha256
    for at in range(0, len(whole), 2):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            assert read(file).sha256 == sha256
        except DatasetError as error:
            assert "arrays.npz" in str(error)


def test_a_file_cut_short_is_refused(file):
    np.savez(file, x_train=X, y_train=Y)
    file.write_bytes(file.read_bytes()[:-30])
    refused(file, "is not an npz file, or is damaged")


@pytest.mark.parametrize("missing", ["x_train", "y_train"])
def test_a_missing_array_is_named_beside_those_that_are_there(file, missing):
    arrays = {"x_train": X, "y_train": Y, "extra": X}
    del arrays[missing]
    np.savez(file, **arrays)
    refused(file, f"has no '{missing}', only {', '.join(sorted(arrays))}")


@pytest.mark.parametrize("part", ["x_test", "y_test"])
def test_half_a_test_set_is_refused(file, part):
    np.savez(file, x_train=X, y_train=Y, **{part: X if part == "x_test" else Y})
    refused(file, "only one of 'x_test' and 'y_test'")


def test_class_names_name_the_label_indices_though_a_class_has_no_example(file):
    np.savez(file, x_train=X, y_train=Y, classes=["no", "yes", "perhaps"])
    dataset = read(file)
    assert dataset.classes == ("no", "yes", "perhaps")
    assert dataset.y_train.tolist() == [int(dataset.train_name(i)) % 2 for i in range(10)]


@pytest.mark.parametrize(
    "classes", [np.array("no"), np.array([["no", "yes"], ["a", "b"]])], ids=["one", "table"]
)
def test_class_names_that_are_no_list_are_refused(file, classes):
    np.savez(file, x_train=X, y_train=Y, classes=classes)
    refused(file, "classes")


def test_words_as_labels_are_the_classes(file):
    np.savez(file, x_train=X, y_train=np.where(Y, "yes", "no"))
    dataset = read(file)
    assert dataset.classes == ("no", "yes")
    assert dataset.y_train.tolist() == [int(dataset.train_name(i)) % 2 for i in range(10)]


def test_a_compressed_file_holds_the_same_data(file, tmp_path):
    np.savez(file, x_train=X, y_train=Y)
    np.savez_compressed(tmp_path / "small.npz", x_train=X, y_train=Y)
    assert read(file).sha256 == read(tmp_path / "small.npz").sha256


def test_labels_in_a_column_are_split_like_labels_in_a_row(file, tmp_path):
    np.savez(file, x_train=X, y_train=Y)
    np.savez(tmp_path / "column.npz", x_train=X, y_train=Y[:, None])
    assert read(tmp_path / "column.npz").sha256 == read(file).sha256


@pytest.mark.parametrize("settings", [{}, {"train_limit": 4}], ids=["whole", "limited"])
@pytest.mark.parametrize("with_test", [False, True], ids=["split", "with a test set"])
@pytest.mark.parametrize(("n_x", "n_y"), [(9, 12), (12, 9)], ids=["fewer x", "fewer y"])
def test_as_many_labels_as_examples_are_needed(file, n_x, n_y, with_test, settings):
    test = {"x_test": X, "y_test": Y} if with_test else {}
    np.savez(file, x_train=X[:n_x], y_train=Y[:n_y], **test)
    refused(file, f"x_train has {n_x} examples, y_train {n_y} labels", **settings)


@pytest.mark.parametrize("part", ["x_train", "y_train"])
def test_a_single_number_in_place_of_an_array_is_refused(file, part):
    np.savez(file, **{"x_train": X, "y_train": Y, part: np.array(3)})
    refused(file, part)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_examples_is_too_few_to_split(file, n):
    np.savez(file, x_train=X[:n], y_train=Y[:n])
    refused(file, f"{n} examples? (is|are) too few to split a test set from: add examples")


@pytest.mark.parametrize("test_fraction", [0.01, 0.2, 0.5])
def test_the_only_example_of_a_class_stays_in_the_training_set(file, test_fraction):
    """scikit-learn's stratified split refuses such a class, "which is too few".

    https://github.com/embeddings-benchmark/mteb/issues/519; Ludwig keeps them out of the split too,
    https://github.com/ludwig-ai/ludwig/pull/2863.
    """
    y = np.r_[np.zeros(60, int), np.ones(60, int), np.arange(2, 22)]
    np.savez(file, x_train=np.arange(280.0).reshape(140, 2), y_train=y)
    dataset = read(file, test_fraction=test_fraction)
    assert len(dataset.classes) == 22
    assert set(dataset.y_train) == set(range(22))
    assert set(dataset.y_test) <= {0, 1}
    names = {*dataset.train_names, *dataset.test_names}
    assert names == {str(i) for i in range(140)}, "no example is lost"
    if test_fraction > 0.1:
        assert "only ones of a class: left in the training set" in dataset.account.lines[0]


def test_classes_of_one_example_each_leave_nothing_to_draw(file):
    np.savez(file, x_train=X, y_train=np.arange(12))
    refused(file, "no test set can be drawn, since each class has a single example")


_PARTS = ("x_train", "y_train", "x_test", "y_test")
OTHER_NAMES = {
    "MedMNIST": ("train_images", "train_labels", "test_images", "test_labels"),
    "capitals": ("X_train", "Y_train", "X_test", "Y_test"),
    "scikit-learn": ("X_train", "y_train", "X_test", "y_test"),
}


@pytest.mark.parametrize("names", OTHER_NAMES.values(), ids=OTHER_NAMES)
def test_usual_names_are_taken_with_a_note(file, tmp_path, names):
    """MedMNIST's files have train_images, train_labels and so on.

    In https://github.com/MedMNIST/MedMNIST/issues/31 somebody asks how to read them.
    """
    arrays = (X, Y[:, None], X[:4], Y[:4, None])
    np.savez(tmp_path / "usual.npz", **dict(zip(_PARTS, arrays, strict=True)))
    np.savez(file, **dict(zip(names, arrays, strict=True)))
    dataset = read(file)
    assert dataset.sha256 == read(tmp_path / "usual.npz").sha256
    assert f"{names[0]} taken as x_train" in dataset.account.lines


def test_parts_with_other_names_for_classes_and_columns_are_taken(file):
    np.savez(file, x_train=X, y_train=Y, class_names=["cat", "dog"], feature_names=["h", "w", "d"])
    dataset = read(file)
    assert dataset.classes == ("cat", "dog")
    assert dataset.features == ("h", "w", "d")


def test_parts_that_nobody_knows_are_listed(file):
    np.savez(file, x_train=X, y_train=Y, ids=np.arange(12), weights=Y)
    (line,) = read(file).account.lines
    assert line.startswith("left out: ids, weights; memtail reads x_train, y_train, x_test")


def test_a_validation_set_is_the_test_set_only_where_there_is_no_other(file):
    np.savez(file, x_train=X, y_train=Y, x_val=X[:5] + 1, y_val=Y[:5])
    dataset = read(file)
    np.testing.assert_array_equal(dataset.test.whole(), X[:5] + 1)
    assert dataset.account.lines == (
        "x_val and y_val taken as the test set, since there is no other",
    )
    np.savez(file, x_train=X, y_train=Y, x_test=X[:3], y_test=Y[:3], x_val=X[:5], y_val=Y[:5])
    dataset = read(file)
    assert len(dataset.y_test) == 3
    assert dataset.account.lines[0].startswith("left out: x_val, y_val")


def test_a_class_that_the_limit_leaves_no_training_example_is_told_to_the_user_as_that(file):
    np.savez(file, x_train=np.zeros((30, 2)), y_train=np.arange(30) % 3)
    assert "y_test" not in refused(file, "train_limit|training example", train_limit=2)


@pytest.mark.parametrize("settings", [{}, {"train_limit": 10**6}], ids=["whole", "limit beyond"])
def test_a_test_class_without_training_examples_is_judged_alike_where_nothing_is_drawn(
    file, settings
):
    np.savez(file, x_train=X, y_train=Y, x_test=X, y_test=Y + 1, classes=["no", "yes", "perhaps"])
    assert read(file, **settings).classes == ("no", "yes", "perhaps")


def test_words_and_numbers_as_labels_are_told_as_that_though_a_limit_is_set(file):
    np.savez(file, x_train=X, y_train=np.where(Y, "yes", "no"), x_test=X, y_test=Y)
    refused(file, "both must be integers or both strings", train_limit=6)
