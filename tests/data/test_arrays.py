"""Arrays as people hand them over: frames, masked arrays, bytes, images in other forms."""

import numpy as np
import pyarrow
import pytest

from memtail_core.data import Dataset
from memtail_core.errors import DatasetError

N = 20
X = np.arange(3.0 * N).reshape(N, 3)
Y = np.arange(N) % 2
IMAGES = np.random.default_rng(0).integers(2, 255, (N, 8, 6, 3), dtype=np.uint8)


class Missing:
    """Like pandas.NA: comparing it gives no truth."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other):
        return self

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


NA = type("NAType", (Missing,), {})()


class Frame:
    """What pandas' and polars' frames have in common: columns by name, and ``to_numpy``."""

    def __init__(self, columns):
        self._columns, self.columns = columns, list(columns)

    def __getitem__(self, label):
        return self._columns[label]

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def to_numpy(self):
        return np.column_stack(list(self._columns.values()))

    def __array__(self, dtype=None, copy=None):
        return self.to_numpy()


def columns(x, names="abc"):
    return dict(zip(names, x.T, strict=True))


FORMS = {
    "frame": Frame,
    "arrow": pyarrow.table,
    "structured": lambda c: np.array(
        list(zip(*c.values(), strict=True)), dtype=[(name, "f8") for name in c]
    ),
}


def dataset(x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:4], **more):
    return Dataset.from_arrays(x_train, y_train, x_test, y_test, **more)


def refused(match, **arrays):
    with pytest.raises(DatasetError, match=match):
        dataset(**arrays)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_columns_of_a_test_frame_are_matched_by_name_whatever_their_order(form):
    """Matched by position, a reordered test frame is mixed up without a word.

    scikit-learn had the same, https://github.com/scikit-learn/scikit-learn/issues/7242.
    """
    test = X[:4] + 0.5
    mixed = dataset(form(columns(X)), x_test=form(columns(test[:, [2, 0, 1]], "cab")))
    np.testing.assert_array_equal(mixed.test.whole(), test.astype(np.float32))
    np.testing.assert_array_equal(mixed.train.whole(), X.astype(np.float32))
    assert mixed.features == ("a", "b", "c")
    (line,) = mixed.account.lines
    assert "matched by name" in line
    same = dataset(form(columns(X)), x_test=form(columns(test)))
    assert not same.account
    assert same.sha256 == mixed.sha256


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_column_that_one_of_the_two_frames_lacks_is_named(form):
    whole, part = form(columns(X)), form(columns(X[:4, :2], "ab"))
    refused("x_train has the column 'c', x_test has not", x_train=whole, x_test=part)
    whole, part = form(columns(X[:4])), form(columns(X[:, :2], "ab"))
    refused("x_test has the column 'c', x_train has not", x_train=part, x_test=whole)


def test_names_that_are_given_count_more_than_those_of_a_frame():
    named = dataset(Frame(columns(X)), features=["p", "q", "r"])
    assert named.features == ("p", "q", "r")


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (np.array(["red", "blue"] * 10, dtype=object), "'w' holds 'red' in row 0: .*parquet:"),
        (np.array([1, NA] * 10, dtype=object), r"'w' has no value in row 1 \(counting from 0\)"),
        (np.array([1.5, None] * 10, dtype=object), "'w' has no value in row 1"),
        (np.arange(N).astype("M8[D]"), "'w' holds dates: make them numbers"),
    ],
    ids=["words", "NA", "None", "dates"],
)
def test_a_column_that_is_no_number_is_refused_by_its_name(column, match):
    refused(match, x_train=Frame(columns(X) | {"w": column}))


def test_columns_of_numbers_of_any_kind_are_read():
    kinds = {
        "bool": Y.astype(bool),
        "int": np.array([3, 4] * 10, dtype=object),
        "half": Y.astype(np.float16),
    }
    read = dataset(Frame(kinds), x_test=Frame(kinds), y_test=Y)
    expected = np.column_stack([Y, 3 + Y, Y]).astype(np.float32)
    np.testing.assert_array_equal(read.train.whole(), expected)


def test_what_a_masked_array_masks_is_missing():
    """numpy drops the mask without a word, https://github.com/numpy/numpy/issues/26669."""
    refused(r"x_train\[17, 0\] is masked", x_train=np.ma.masked_greater(X, 50))
    refused(r"x_test\[2, 1\] is masked", x_test=np.ma.masked_equal(X[:4], X[2, 1]))
    refused(r"y_train\[1\] is masked", y_train=np.ma.masked_equal(Y, 1))
    assert dataset(np.ma.masked_greater(X, 1000)).sha256 == dataset().sha256


def test_a_sparse_matrix_is_refused_with_what_makes_it_an_array():
    from scipy.sparse import csr_matrix

    refused(r"x_train is a sparse matrix: give x_train.toarray\(\)", x_train=csr_matrix(X))


def test_a_tensor_of_bfloat16_is_read():
    """numpy has no such type, https://github.com/pytorch/pytorch/issues/110285."""
    import torch

    assert dataset(torch.from_numpy(X).bfloat16()).train.whole()[5, 1] == 16


def test_bytes_are_text_in_labels_and_names():
    """numpy's text read by another program is often bytes; str() makes them "b'cat'"."""
    words = dataset(y_train=np.array([b"cat", b"dog"])[Y], y_test=np.array(["cat"] * 4))
    assert words.classes == ("cat", "dog")
    named = dataset(
        classes=np.array([b"cat", b"dog"]),
        features=np.array([b"h", b"w", b"d"]),
        train_names=np.array([b"caf\xc3\xa9"] * N),
    )
    assert named.classes == ("cat", "dog")
    assert named.features == ("h", "w", "d")
    assert named.train_name(3) == "café"


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.where(Y, 1, -1), ("-1", "1")),
        (np.where(Y, 1.0, 0.0), ("0", "1")),
        (np.where(Y, 1.0, -1.0), ("-1", "1")),
        (Y.astype(bool), ("0", "1")),
        (np.array([0, 1] * 10, dtype=object), ("0", "1")),
    ],
    ids=["-1 and 1", "0.0 and 1.0", "-1.0 and 1.0", "booleans", "objects"],
)
def test_whole_numbers_are_classes(labels, classes):
    read = dataset(y_train=labels, y_test=labels[:4])
    assert read.classes == classes
    assert read.y_train.tolist() == Y.tolist()


@pytest.mark.parametrize("nothing", [None, np.nan, NA, np.datetime64("NaT")])
def test_a_missing_label_is_no_class(nothing):
    labels = np.array([nothing, "dog"] * 10, dtype=object)
    refused(r"y_train\[0\] is missing: fill or drop it", y_train=labels, y_test=["dog"] * 4)


@pytest.mark.parametrize("text", ["nan", "", "None", "NA"])
def test_texts_that_were_made_of_nothing_are_warned_of(text):
    """``np.array(["a", np.nan])`` holds the text "nan".

    https://github.com/numpy/numpy/issues/15897.
    """
    read = dataset(y_train=["dog", text] * 10, y_test=["dog"] * 4)
    assert read.account.warnings == (f"10 labels of y_train are '{text}': are they missing?",)


def test_one_hot_rows_are_refused_with_what_makes_labels_of_them():
    refused(r"\[20, 2\].*y_train.argmax\(1\)", y_train=np.eye(2)[Y])


def test_labels_from_one_with_class_names_are_refused_with_the_reason():
    names = {"classes": ["a", "b"]}
    refused("2, but there are 2 class names: labels count from 0", y_train=Y + 1, **names)
    refused("-1, but there are 2 class names$", y_train=np.where(Y, 1, -1), **names)


@pytest.mark.parametrize("scale", [1e-40, 1e-60])
def test_features_too_small_for_float32_are_refused_before_anything_is_trained(scale):
    refused(r"x_train\[:, 0\] is too small for float32, .*: rescale it", x_train=X * scale)


def test_columns_whose_values_float32_cannot_tell_apart_are_refused():
    """Seconds since 1970 and long numbers of customers become one value."""
    seconds = 1.7e9 + np.arange(N)
    refused(
        r"x_train\[:, 2\] has 20 different values, of which float32 keeps only 1: subtract",
        x_train=np.c_[X[:, :2], seconds],
    )
    refused("float32 keeps only", x_train=np.c_[X[:, :2].astype(np.int64), 2**40 + np.arange(N)])
    dataset(np.c_[X[:, :2], seconds - seconds.min()])
    dataset(np.c_[X[:, :2], (2**24 + 2 * np.arange(N)).astype(np.float64)])


FORMS_OF_IMAGES = {
    "floats to 1": IMAGES / 255,
    "floats to 1 in half precision": (IMAGES / 255).astype(np.float16),
    "floats to 255": IMAGES.astype(np.float64),
    "int64": IMAGES.astype(np.int64),
    "channels first": IMAGES.transpose(0, 3, 1, 2),
    "floats, channels first": IMAGES.transpose(0, 3, 1, 2) / 255,
}


@pytest.mark.parametrize("images", FORMS_OF_IMAGES.values(), ids=FORMS_OF_IMAGES)
def test_images_in_other_forms_are_the_same_images_and_the_account_says_so(images):
    read = dataset(images, x_test=images[:4])
    usual = dataset(IMAGES, x_test=IMAGES[:4])
    assert read.sha256 == usual.sha256
    assert not usual.account
    assert read.account.lines
    assert not read.account.warnings


def test_both_sets_have_one_scale():
    deep = np.arange(N * 48, dtype=np.uint16).reshape(N, 8, 6) * 4
    read = dataset(deep, x_test=deep[:4])
    assert read.train.whole().max() == 255
    np.testing.assert_array_equal(read.test.whole(), read.train.whole()[:4])
    assert "multiplied by 0.0" in read.account.lines[0]
    refused("both need one scale", x_train=IMAGES / 255, x_test=IMAGES[:4].astype(float))


def test_standardized_images_are_refused():
    floats = np.random.default_rng(0).normal(size=IMAGES.shape)
    refused("x_train holds float64 from .*not standardized", x_train=floats, x_test=floats[:4])


@pytest.mark.parametrize(
    ("images", "match"),
    [
        ((IMAGES / 255).astype(np.uint8), "all pixels are 0 or 1 of 255: if fractions were cut"),
        (IMAGES.transpose(0, 3, 1, 2)[..., :3], r"taken as images 3 pixels high with 3 channels"),
        (IMAGES[..., 0].transpose(0, 2, 1)[..., :3], "taken as 20 grey images, 3 pixels wide"),
    ],
    ids=["cut to bytes", "channels first or last", "one image"],
)
def test_images_that_may_be_meant_otherwise_are_warned_of(images, match):
    (warning,) = dataset(images, x_test=images[:4]).account.warnings
    assert match in warning
