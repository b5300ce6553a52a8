"""A dataset's digest and its stored form: the content, the whole content and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from memtail_core.data import Dataset, InMemory, examples
from memtail_core.data.modalities import named
from memtail_core.errors import DatasetError

FEW = settings(max_examples=60, deadline=None)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False).map(
    lambda x: x if abs(x) > 1e-30 else 0.0  # smaller features are refused
)


@st.composite
def datasets(draw):
    n, n_test = draw(st.integers(2, 6)), draw(st.integers(1, 4))
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 4])))
        x = draw(arrays.arrays(np.uint8, (n + n_test, *shape)))
    else:
        x = draw(arrays.arrays(np.float32, (n + n_test, draw(st.integers(1, 3))), elements=FINITE))
    classes = draw(st.lists(WORDS, min_size=2, max_size=4, unique=True))
    y = draw(arrays.arrays(np.int64, n + n_test, elements=st.integers(0, len(classes) - 1)))
    y[:2] = 0, 1  # a training set has two classes
    named = draw(st.booleans())
    names = draw(st.lists(WORDS, min_size=n, max_size=n)) if named else ()
    return Dataset.from_arrays(x[:n], y[:n], x[n:], y[n:], classes=classes, train_names=names)


@FEW
@given(datasets())
def test_a_stored_dataset_comes_back_identical(dataset):
    back = Dataset.from_npz(dataset.to_npz(), dataset.sha256)
    for ours, theirs in zip(arrays_of(dataset), arrays_of(back), strict=True):
        assert (ours.dtype, ours.shape, ours.tobytes()) == (
            theirs.dtype,
            theirs.shape,
            theirs.tobytes(),
        )
    assert back.classes == dataset.classes
    assert (back.train_names, back.test_names) == (dataset.train_names, dataset.test_names)


@FEW
@given(datasets(), st.data())
def test_a_stored_dataset_with_a_changed_byte_is_refused_or_reads_the_same(dataset, data):
    content = bytearray(dataset.to_npz())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        back = Dataset.from_npz(bytes(content), dataset.sha256)
    except DatasetError as error:
        assert "damaged" in str(error)
        assert dataset.sha256[:12] in str(error)
    else:  # a byte of the archive that says nothing of the data, as a time
        assert back.train.whole().tobytes() == dataset.train.whole().tobytes()
        assert (back.classes, back.train_names) == (dataset.classes, dataset.train_names)


@FEW
@given(datasets(), st.data())
def test_a_stored_dataset_cut_short_is_refused(dataset, data):
    content = dataset.to_npz()
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DatasetError, match="damaged"):
        Dataset.from_npz(content[:end], dataset.sha256)


@FEW
@given(datasets())
def test_the_digest_does_not_depend_on_memory_order_or_number_types(dataset):
    def again(examples, labels):
        return Dataset.from_arrays(
            examples(dataset.train.whole()),
            labels(dataset.y_train),
            examples(dataset.test.whole()),
            labels(dataset.y_test),
            classes=list(dataset.classes),
            train_names=list(dataset.train_names),
        ).sha256

    def wide(x):  # features have a wider form; images are bytes
        return x.astype(">f8") if x.ndim == 2 else x

    assert again(np.asfortranarray, lambda y: y.astype(np.uint8)) == dataset.sha256
    assert again(lambda x: np.repeat(x, 2, axis=0)[::2], np.ndarray.tolist) == dataset.sha256
    assert again(wide, lambda y: y.astype(">i4")[:, None]) == dataset.sha256


@FEW
@given(arrays.arrays(np.uint8, (4, 3, 2)))
def test_grey_images_with_and_without_a_channel_axis_are_the_same_data(x):
    y = [0, 1, 1, 0]
    flat, deep = (Dataset.from_arrays(each, y, each, y) for each in (x, x[..., None]))
    assert flat.train.whole().shape == (4, 3, 2, 1)
    assert flat.sha256 == deep.sha256


@FEW
@given(datasets(), st.data())
def test_the_digest_changes_with_any_single_value(dataset, data):
    name = data.draw(st.sampled_from(["train", "y_train", "test", "y_test"]))
    part = getattr(dataset, name)
    array = part.copy() if name.startswith("y") else part.whole().copy()
    raw = array.view(np.uint8).reshape(-1)
    raw[data.draw(st.integers(0, raw.size - 1))] ^= data.draw(st.integers(1, 255))
    changed = array if name.startswith("y") else InMemory(array)
    assert replace(dataset, **{name: changed}).sha256 != dataset.sha256


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"classes": ("a", "b")}, {"classes": ("b", "a")}),
        ({"classes": ("a", "b")}, {"classes": ("a", "b", "c")}),
        ({"classes": ("a", "b,c")}, {"classes": ("a,b", "c")}),
        ({"train_names": ("u", "v")}, {"train_names": ("uv", "")}),
        ({"train_names": ("u", "v")}, {"test_names": ("u", "v")}),
        ({"train_names": ("u", "v")}, {"train_names": ()}),
        ({"features": ("u", "v", "w")}, {"features": ("u", "w", "v")}),
    ],
)
def test_the_digest_tells_names_apart(one, other):
    x, y = InMemory(np.zeros((2, 3), np.float32)), np.array([0, 1])
    base = {"train": x, "y_train": y, "test": x, "y_test": y, "classes": ("a", "b")}
    base["modality"] = named("features")
    assert Dataset(**{**base, **one}).sha256 != Dataset(**{**base, **other}).sha256


def test_the_digest_tells_the_shape_and_the_sets_apart():
    x, y = np.zeros((4, 6), np.float32), np.array([0, 1, 0, 1])
    digests = {
        Dataset.from_arrays(x[:n, :d], y[:n], x[:m, :d], y[:m]).sha256
        for n, m, d in [(4, 2, 6), (2, 4, 6), (4, 2, 3), (4, 4, 3)]
    }
    assert len(digests) == 4


def test_a_digest_is_the_same_on_every_machine_and_in_every_version():
    """If this changes, every study's id changes: raise the study's format instead."""
    x = np.array([[0, 127, 255], [1, 2, 3]], dtype=np.uint8).reshape(2, 1, 1, 3)
    dataset = Dataset.from_arrays(x, [0, 1], x, [1, 0], classes=["chat", "chaté"])
    assert dataset.sha256 == "736a8125efdeb07c08c27376f1f6a5075b2f8db5f029e1cbfc37e6c5da095f74"


@pytest.mark.parametrize("chunk", [1, 6, 100])
def test_the_digest_does_not_depend_on_how_much_is_read_at_once(monkeypatch, chunk):
    x = np.arange(120, dtype=np.uint8).reshape(20, 2, 1, 3)
    whole = Dataset.from_arrays(x, np.arange(20) % 2, x, np.arange(20) % 2).sha256
    monkeypatch.setattr(examples, "CHUNK_BYTES", chunk)
    assert Dataset.from_arrays(x, np.arange(20) % 2, x, np.arange(20) % 2).sha256 == whole


@pytest.mark.parametrize("name", ["caf\udce9", "high\ud800", "end\0"], ids=ascii)
def test_a_name_that_no_file_can_hold_as_it_is_still_has_a_digest_and_is_stored(name):
    """As a file's name on Linux may be: Python shows its bytes as lone surrogates."""
    x, y = np.zeros((2, 3), np.float32), np.array([0, 1])
    dataset = Dataset.from_arrays(x, y, x, y, train_names=[name, "b"])
    back = Dataset.from_npz(dataset.to_npz(), dataset.sha256)
    assert back.train_names == dataset.train_names
    assert len(set(back.train_names)) == 2


def arrays_of(dataset):
    return dataset.train.whole(), dataset.y_train, dataset.test.whole(), dataset.y_test


def test_control_characters_of_a_name_are_not_kept():
    x, y = np.zeros((2, 3), np.float32), np.array([0, 1])
    dataset = Dataset.from_arrays(x, y, x, y, train_names=["a\x1b[2J\x9b", "b\n"])
    assert dataset.train_names == ("a\ufffd[2J\ufffd", "b\ufffd")
