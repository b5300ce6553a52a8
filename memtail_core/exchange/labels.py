"""What files say of the examples of a bank: labels, names of classes and examples, the examples."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset, InMemory, Selection, Splits
from memtail_core.errors import DatasetError
from memtail_core.exchange import array_files

FILE = "labels.npz"
_WORDS = ("classes", "train_names", "test_names", "features")


def beside(folder: Path) -> Splits | None:
    """Return what ``labels.npz`` in this folder says; None if there is none."""
    return read(folder / FILE) if (folder / FILE).exists() else None


def read(path: Path) -> Splits:
    """Read labels: an .npy file of the training labels, or an .npz file.

    The latter holds ``y_train`` and, where there are test examples, ``y_test``; it may hold
    ``classes``, ``train_names``, ``test_names`` and the examples, ``x_train`` and ``x_test``.

    Raises:
        DatasetError: it cannot be read, or has no training labels.
    """
    if path.suffix == ".npy":
        return Splits(None, np.asarray(array_files.npy(path)))
    return of_arrays(array_files.npz(path), path)


def of_arrays(arrays: dict[str, NDArray[Any]], path: Path) -> Splits:
    """Take labels, names and examples from arrays by name."""
    if "y_train" not in arrays:
        raise DatasetError(f"'{path}' has no 'y_train', the labels of the training examples")
    words: dict[str, Any] = {
        name: arrays[name].tolist() for name in _WORDS if name in arrays and arrays[name].size
    }
    return Splits(
        arrays.get("x_train"),
        np.asarray(arrays["y_train"]),
        arrays.get("x_test"),
        np.asarray(arrays["y_test"]) if "y_test" in arrays else None,
        modality=str(arrays["modality"]) if "modality" in arrays else None,
        **words,
    )


def arrays_of(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """Return labels and names as :func:`read` takes them, without the examples."""
    words = {name: np.array(getattr(dataset, name), np.str_) for name in _WORDS[:3]}
    labels = {"y_train": dataset.y_train, "y_test": dataset.y_test}
    return labels | {name: array for name, array in words.items() if array.size}


def write(dataset: Dataset, folder: Path) -> None:
    """Write ``labels.npz`` beside trials that say nothing of their examples."""
    np.savez(folder / FILE, allow_pickle=False, **arrays_of(dataset))


def dataset_of(splits: Splits, n: int, n_test: int) -> Dataset:
    """Make a dataset of what files say; examples that nobody has shown have no values.

    Args:
        splits: with labels.
        n, n_test: how many examples the bank is about.

    Raises:
        DatasetError: labels are missing, too many or too few, or not labels.
    """
    y_train, y_test = splits.y_train, splits.y_test if n_test else None
    for name, y, count, of in (
        ("y_train", y_train, n, "training"),
        ("y_test", y_test, n_test, "test"),
    ):
        if count and (y is None or len(y) != count):
            there = "no" if y is None else f"{len(y):,}"
            raise DatasetError(
                f"the models were evaluated on {count:,} {of} examples, and there are {there} "
                f"labels of them ({name})"
            )
    is_shown = splits.x_train is not None and (splits.x_test is not None or not n_test)
    stand_in = np.zeros((n, 1), np.float32)
    dataset = Dataset.from_arrays(
        splits.x_train if is_shown else stand_in,
        y_train,
        (splits.x_test if is_shown else np.zeros((n_test, 1), np.float32))
        if n_test
        else (splits.x_train if is_shown else stand_in)[:1],
        y_test if n_test else np.asarray(y_train)[:1],
        classes=splits.classes,
        train_names=splits.train_names,
        test_names=splits.test_names if n_test else (),
        features=splits.features if is_shown else (),
        modality=splits.modality if is_shown else None,
    )
    if not is_shown:
        unseen = (InMemory(np.zeros((k, 0), np.float32)) for k in (n, n_test))
        dataset = replace(dataset, train=next(unseen), test=next(unseen))
    return dataset if n_test else without_test(dataset)


def without_test(dataset: Dataset) -> Dataset:
    """Return the same training examples and no test examples."""
    return replace(
        dataset,
        test=Selection(dataset.test, np.zeros(0, np.int64)),
        y_test=dataset.y_test[:0],
        test_names=(),
    )
