"""Datasets from Python objects hold what the objects hold, and what cannot be read says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

import memtail_core as memtail
from memtail_core.errors import DatasetError, MemtailError, StudyError
from tests.data.contract import ANIMALS, Truth, features, images, write_folder

COLOURED = images((6, 5, 3))
GREY = images((6, 5, 1))


class Pictures(torch.utils.data.Dataset[Any]):
    """As torchvision's datasets: PIL images, and names of the classes."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y, self.classes = x, y, list(ANIMALS)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        pixels = self.x[row]
        return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), self.y[row]


class Noise(Pictures):
    """A transform that draws at random."""

    def __getitem__(self, row: int) -> Any:
        return torch.rand(1, 4, 4), self.y[row]


def of_arrays(truth: Truth) -> memtail.Dataset:
    return memtail.from_arrays(
        truth.x_train, truth.y_train, truth.x_test, truth.y_test, classes=truth.classes
    )


def of_torch(truth: Truth) -> memtail.Dataset:
    return memtail.from_torch(
        Pictures(truth.x_train, truth.y_train), Pictures(truth.x_test, truth.y_test)
    )


def of_tensors(truth: Truth) -> memtail.Dataset:
    def tensors(x: Any, y: Any) -> TensorDataset:
        floats = torch.from_numpy(x).permute(0, 3, 1, 2) / 255  # as ToTensor gives them
        return TensorDataset(floats, torch.from_numpy(y))

    train, test = tensors(truth.x_train, truth.y_train), tensors(truth.x_test, truth.y_test)
    return memtail.from_torch(train, test, classes=truth.classes)


def _split(x: Any, y: Any) -> datasets.Dataset:
    columns = {"picture": [Image.fromarray(np.squeeze(each)) for each in x], "animal": y.tolist()}
    described = {"picture": datasets.Image(), "animal": datasets.ClassLabel(names=list(ANIMALS))}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(described))


def of_huggingface(truth: Truth) -> memtail.Dataset:
    train, test = _split(truth.x_train, truth.y_train), _split(truth.x_test, truth.y_test)
    return memtail.from_huggingface(datasets.DatasetDict({"train": train, "test": test}))


Make = Callable[[Truth], memtail.Dataset]
OF_IMAGES: list[Make] = [of_arrays, of_torch, of_tensors, of_huggingface]


@pytest.mark.parametrize("truth", [COLOURED, GREY], ids=["coloured", "grey"])
@pytest.mark.parametrize("make", OF_IMAGES)
def test_images_and_labels_are_those_of_the_objects(make: Make, truth: Truth) -> None:
    dataset = make(truth)
    np.testing.assert_array_equal(dataset.train.whole(), truth.x_train)
    np.testing.assert_array_equal(dataset.test.whole(), truth.x_test)
    np.testing.assert_array_equal(dataset.y_train, truth.y_train)
    np.testing.assert_array_equal(dataset.y_test, truth.y_test)
    assert dataset.classes == truth.classes


def test_the_same_content_has_the_same_digest_whichever_objects_hold_it() -> None:
    assert len({make(COLOURED).sha256 for make in OF_IMAGES}) == 1


@pytest.mark.parametrize("make", OF_IMAGES)
@pytest.mark.parametrize("what", ["x_train", "y_train", "x_test", "y_test"])
def test_any_change_of_the_content_changes_the_digest(make: Make, what: str) -> None:
    assert make(COLOURED).sha256 != make(COLOURED.changed(what)).sha256


def frame(truth: Truth, part: str) -> dict[str, Any]:
    x = getattr(truth, f"x_{part}")
    colours = np.array(["blue", "green", "red"])[x[:, 2:].argmax(1)]
    return {"a": x[:, 0], "b": x[:, 1], "colour": colours, "animal": truth.words(part)}


@pytest.mark.parametrize("of", [pd.DataFrame, pyarrow.table], ids=["pandas", "arrow"])
def test_frames_become_what_their_parquet_files_become(of: Any, tmp_path: Any) -> None:
    truth = features()
    for part in ("train", "test"):
        pd.DataFrame(frame(truth, part)).to_parquet(tmp_path / f"{part}.parquet")
    spec = memtail.Spec.parse(
        {
            "dataset": {
                "source": f"parquet:{tmp_path}/train.parquet",
                "test": f"{tmp_path}/test.parquet",
                "label": "animal",
            }
        }
    )
    expected = memtail.prepare(spec).dataset
    made = memtail.from_pandas(of(frame(truth, "train")), "animal", test=of(frame(truth, "test")))
    assert made.sha256 == expected.sha256
    assert made.features == ("a", "b", "colour=blue", "colour=green", "colour=red")


def test_a_frame_that_was_filtered_counts_its_rows_anew_and_its_index_is_no_feature() -> None:
    whole = pd.DataFrame(frame(features(None), "train"))
    kept = whole[whole["animal"] != "cat"]
    dataset = memtail.from_pandas(kept, "animal")
    assert dataset.features == ("a", "b", "colour=blue", "colour=green", "colour=red")
    names = [int(name) for name in (*dataset.train_names, *dataset.test_names)]
    assert sorted(names) == list(range(len(kept)))


def test_texts_of_frames_and_of_huggingface_are_the_same_texts() -> None:
    texts = [f"the {word} number {i}" for i in range(20) for word in ("big", "small")]
    labels = [i % 2 for i in range(40)]
    columns = {"text": texts, "label": labels}
    of_frame = memtail.from_pandas(pd.DataFrame(columns), "label", text="text")
    described = {
        "text": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["0", "1"]),
    }
    split = datasets.Dataset.from_dict(columns, features=datasets.Features(described))
    of_split = memtail.from_huggingface(split, text="text")
    assert of_frame.texts is not None and of_split.texts is not None
    assert list(of_frame.texts.train) == list(of_split.texts.train)
    assert of_frame.modality.name == of_split.modality.name == "text"


def test_rows_of_huggingface_are_in_the_order_they_were_shuffled_and_selected_into() -> None:
    split = _split(COLOURED.x_train, COLOURED.y_train).shuffle(seed=3).select(range(30))
    dataset = memtail.from_huggingface({"train": split, "validation": split})
    expected = np.array([np.asarray(each) for each in split["picture"]])
    np.testing.assert_array_equal(dataset.train.whole(), expected)
    assert dataset.y_train.tolist() == list(split["animal"])
    assert len(dataset.y_test) == 30  # the split "validation" is the test set


def test_subsets_of_torch_keep_classes_and_files(tmp_path: Any) -> None:
    write_folder(tmp_path, images((6, 5, 3), test=None))
    folder = torchvision.datasets.ImageFolder(str(tmp_path))
    rows = [41, 3, 17, 25, 9, 30, 2, 35, 12, 40]
    subset = Subset(Subset(folder, range(1, 42)), [row - 1 for row in rows])
    dataset = memtail.from_torch(subset, subset)
    assert dataset.classes == ANIMALS
    files = [Path(folder.samples[row][0]) for row in rows]
    assert list(dataset.train_names) == [f"{file.parent.name}/{file.name}" for file in files]


def test_joined_datasets_of_torch_have_the_classes_of_the_first() -> None:
    one = Pictures(COLOURED.x_train, COLOURED.y_train)
    dataset = memtail.from_torch(ConcatDataset([one, one]))
    assert dataset.classes == ANIMALS


def test_texts_of_torch_are_texts() -> None:
    items: Any = [(f"a text about {word} {i}", word) for i in range(9) for word in ANIMALS]
    dataset = memtail.from_torch(items)
    assert dataset.modality.name == "text"
    assert dataset.classes == ANIMALS


def test_pictures_of_different_sizes_are_resized() -> None:
    items: Any = [(Image.new("RGB", (8 + i, 9), (i, i, i)), i % 2) for i in range(20)]
    assert memtail.from_torch(items, size=4).shape == (4, 4, 3)


PIXELS = np.zeros((3, 4, 4), np.float32)
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "another example each time": (
        lambda: memtail.from_torch(Noise(GREY.x_train, GREY.y_train)),
        r"train\[0\] is another example each time .*without random transforms",
    ),
    "a loader": (
        lambda: memtail.from_torch(DataLoader(Pictures(GREY.x_train, GREY.y_train))),
        "train is a DataLoader: give a dataset",
    ),
    "an empty dataset": (lambda: memtail.from_torch([]), "train is empty"),
    "no pairs": (
        lambda: memtail.from_torch([(PIXELS, 1, 2)]),
        r"train\[0\] is a tuple of 3 parts: an item is \(example, label\)",
    ),
    "dictionaries": (lambda: memtail.from_torch([{"x": 1}]), r"train\[0\] is a dict"),
    "labels of several numbers": (
        lambda: memtail.from_torch([(PIXELS, np.zeros(3))]),
        r"the label of train\[0\] is array",
    ),
    "standardized pixels": (
        lambda: memtail.from_torch([(PIXELS - i, i % 2) for i in range(20)]),
        "not standardized",
    ),
    "sizes that differ": (
        lambda: memtail.from_torch([(Image.new("L", (4 + i, 4)), i % 2) for i in range(9)]),
        "set size = 64, say, to resize",
    ),
    "a size of nothing": (lambda: memtail.from_torch([(PIXELS, 0)], size=0), "size = 0"),
    "a size for tensors": (
        lambda: memtail.from_torch([(PIXELS, 0)], size=8),
        "size resizes PIL images",
    ),
    "a list for a frame": (
        lambda: memtail.from_pandas([1, 2], "y"),
        "train is a list: give a frame",
    ),
    "a column of mixed objects": (
        lambda: memtail.from_pandas(pd.DataFrame({"a": [1, "x", {}], "y": [1, 2, 3]}), "y"),
        "train cannot be read as a table: .*column a",
    ),
    "a label that is not there": (
        lambda: memtail.from_pandas(pd.DataFrame({"a": [1, 2], "yes": [0, 1]}), "ye"),
        r"'train' has no column 'ye' \(did you mean 'yes'\?\)",
    ),
    "a list for a split": (
        lambda: memtail.from_huggingface({"train": [1]}),
        "'train' is a list: give a Dataset of Hugging Face",
    ),
    "a split that is not there": (
        lambda: memtail.from_huggingface({"training": [1]}),
        r"no split 'train' \(did you mean 'training'\?\)",
    ),
    "a stream": (
        lambda: memtail.from_huggingface(
            _split(COLOURED.x_train, COLOURED.y_train).to_iterable_dataset()
        ),
        "'train' is streamed",
    ),
    "no examples": (lambda: memtail.from_arrays(None, [1]), "x_train is missing"),
    "labels of other examples": (
        lambda: memtail.from_arrays(GREY.x_train, GREY.y_train[1:]),
        "x_train has 42 examples, y_train 41 labels",
    ),
    "a fraction of everything": (
        lambda: memtail.from_arrays(GREY.x_train, GREY.y_train, test_fraction=1.0),
        "test_fraction = 1.0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_one_line(name: str) -> None:
    read, message = WRONG[name]
    with pytest.raises(MemtailError, match=message) as caught:
        read()
    assert isinstance(caught.value, DatasetError | StudyError)
    assert "\n" not in str(caught.value)


def test_an_error_of_the_users_own_dataset_names_the_item() -> None:
    class Broken(Pictures):
        def __getitem__(self, row: int) -> Any:
            if row == 5:
                raise KeyError("lost")
            return super().__getitem__(row)

    with pytest.raises(DatasetError, match=r"reading train\[5\] failed: KeyError: 'lost'"):
        memtail.from_torch(Broken(GREY.x_train, GREY.y_train))
