"""Dataset.from_arrays: what arrays may be, and the sentence that says what is wrong with others."""

import numpy as np
import pytest

from memtail_core.data import Dataset
from memtail_core.errors import DatasetError

X = np.arange(24, dtype=np.float32).reshape(8, 3)
Y = np.array([0, 1, 0, 1, 1, 0, 1, 0])
IMAGES = np.arange(8 * 4 * 5, dtype=np.uint8).reshape(8, 4, 5)


def build(**changed):
    names = changed.pop("names", {})
    arrays = {"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4], **changed}
    return Dataset.from_arrays(**arrays, **names)


def altered(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def refused(match, **changed):
    with pytest.raises(DatasetError, match=match) as caught:
        build(**changed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")], ids=str
)
@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_a_feature_that_is_not_finite_is_refused_and_located(part, value, word):
    refused(rf"{part}\[2, 1\] is {word}: fill or drop", **{part: altered(X, (2, 1), value)})


def test_a_finite_feature_too_large_for_float32_is_refused_as_too_large():
    wide = altered(X.astype(np.float64), (3, 2), 1e39)
    refused(r"x_train\[3, 2\] is too large for float32", x_train=wide)


def test_the_largest_float32_is_accepted():
    largest = np.finfo(np.float32).max
    assert build(x_train=altered(X, (3, 2), largest)).train.whole()[3, 2] == largest


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (IMAGES.astype(np.float32) - 300, "float32 from -.*: give images as bytes"),
        (IMAGES.astype(np.int64)[..., None] - 300, "int64 from -.*: give images as bytes"),
        (np.full((8, 4, 5), np.nan), "not finite; images are uint8"),
        (X.astype(object), "object"),
        (X.astype(np.complex64), "complex64"),
        (X.astype(str), "<U"),
        (X[:, 0], r"\[8\]"),
        (np.zeros((8, 2, 2, 2, 3), np.uint8), r"\[8, 2, 2, 2, 3\]"),
        (np.zeros((8, 5, 32, 32), np.uint8), "32 channels in its last axis"),
        (np.zeros((8, 4, 5, 2), np.uint8), "2 channels in its last axis"),
        (None, "object"),
        ([[1.0, 2.0], [3.0]], ""),
        (np.empty((8, 0)), ""),
        (np.empty((8, 0, 5, 1), np.uint8), ""),
    ],
    ids=[
        *("float images", "integer images", "NaN images", "objects", "complex", "words"),
        *("one axis", "five axes", "five channels first", "two channels", "nothing", "ragged"),
        *("no feature", "no pixel"),
    ],
)
def test_examples_of_another_form_are_refused_and_named(x, words):
    refused(f"x_train.*{words}", x_train=x, x_test=x, y_test=Y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y / 2, "float64: labels are whole numbers"),
        (np.array([0, "a"] * 4, dtype=object), "object: labels are whole numbers"),
        ([0, "a"] * 4, "labels are (whole numbers, or strings|indices)"),
        ([None, 1] * 4, r"\[0\] is missing: fill or drop it"),
        (np.array([b"a", b"\xff"] * 4), "cannot be made an array"),
        (np.eye(8, dtype=int), r"shape \[8, 8\]: give one label per example"),
        (np.array(3), r"shape \[\]"),
        ([[0], [1, 2]] * 4, ""),
        (np.array([0, 2**63 + 1] * 4, dtype=np.uint64), ""),
    ],
    ids=[
        *("decimals", "words and numbers in an object array"),
        *("words and numbers in a list", "missing", "bytes that are no text", "one-hot"),
        *("one number", "ragged"),
        "too large for int64",
    ],
)
@pytest.mark.parametrize("names", [{}, {"classes": ["no", "yes"]}], ids=["", "named"])
def test_labels_that_are_neither_whole_numbers_nor_words_are_refused(y, words, names):
    refused(f"y_train.*{words}", y_train=y, x_test=X, y_test=y, names=names)


def test_words_as_training_labels_and_numbers_as_test_labels_are_refused():
    refused("y_train is <U.*y_test int64: both must be", y_train=["a", "b"] * 4)


@pytest.mark.parametrize("part", ["train", "test"])
def test_as_many_labels_as_examples_are_needed(part):
    refused(f"x_{part} has 8 examples, y_{part} 5 labels", **{f"x_{part}": X, f"y_{part}": Y[:5]})


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_set_is_refused(part):
    refused(f"x_{part} is empty", **{f"x_{part}": X[:0], f"y_{part}": Y[:0]})


def test_training_labels_of_one_class_are_refused_and_the_class_is_named():
    words = ["cat"] * 8
    refused("label cat: .*at least two classes", y_train=words, y_test=words[:4])


def test_a_test_label_that_no_training_example_has_is_refused():
    refused("y_test holds the label 7, which no training", y_test=altered(Y[:4], 2, 7))


@pytest.mark.parametrize("part", ["y_train", "y_test"])
def test_a_label_beyond_the_class_names_is_refused_and_located(part):
    y = altered(Y if part == "y_train" else Y[:4], 3, 2)
    names = {"classes": ["no", "yes"]}
    refused(rf"{part}\[3\] is 2, but there are 2 class names", **{part: y, "names": names})


def test_words_as_labels_beside_class_names_are_refused():
    words = ["no", "yes"] * 4
    refused(
        "y_train holds strings: with class names given, labels are indices",
        y_train=words,
        y_test=words[:4],
        names={"classes": ["no", "yes"]},
    )


@pytest.mark.parametrize(
    ("x_test", "words"),
    [
        (X[:4, :2], r"float32 \(3,\).*float32 \(2,\)"),
        (IMAGES[:4], r"float32 \(3,\).*uint8 \(4, 5, 1\)"),
    ],
    ids=["fewer features", "images"],
)
def test_test_examples_unlike_the_training_examples_are_refused(x_test, words):
    refused(words, x_test=x_test)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_name_is_needed_for_every_example_or_for_none(part):
    refused(f"2 {part}_names for ", names={f"{part}_names": ["a", "b"]})


def test_names_may_come_as_an_array():
    names = np.array(list("abcdefgh"))
    assert build(names={"train_names": names}).train_names == tuple("abcdefgh")


def test_an_example_without_a_name_is_called_by_its_index():
    dataset = build(names={"train_names": list("abcdefgh")})
    assert (dataset.train_name(3), dataset.test_name(3)) == ("d", "3")


def test_classes_are_the_sorted_labels_and_labels_their_indices():
    y = [30, 4, 100, 4, 30, 30, 4, 100]
    dataset = build(y_train=y, y_test=[100, 4, 4, 30])
    assert dataset.classes == ("4", "30", "100")
    assert dataset.y_train.tolist() == [1, 0, 2, 0, 1, 1, 0, 2]
    assert dataset.y_test.tolist() == [2, 0, 0, 1]


@pytest.mark.parametrize(
    "y", [Y.tolist(), Y.astype(bool), Y.astype(np.uint8), Y[:, None], Y.astype(np.int16)]
)
def test_whole_numbers_of_any_type_are_labels(y):
    dataset = build(y_train=y, names={"classes": ["no", "yes"]})
    assert dataset.y_train.tolist() == Y.tolist()
    assert dataset.y_train.dtype == np.int64


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64])
def test_numbers_of_any_type_are_features_as_float32(dtype):
    dataset = build(x_train=X.astype(dtype))
    assert dataset.train.whole().dtype == np.float32
    np.testing.assert_array_equal(dataset.train.whole(), X.astype(dtype).astype(np.float64))


def test_the_bytes_of_a_dataset_are_those_of_its_four_arrays():
    assert build().nbytes == 8 * 3 * 4 + 4 * 3 * 4 + 8 * 8 + 4 * 8
