"""``from_torch``: map-style datasets, as those of torch and torchvision, read item by item."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from memtail_core import data
from memtail_core.data.dataset import Dataset
from memtail_core.data.image_files.decoding import shown_pixels
from memtail_core.data.splits import Splits
from memtail_core.data.wording import counted
from memtail_core.errors import DatasetError

_READ_AGAIN = 16  # items, to find out whether a transform is random


def from_torch(
    train: Any,
    test: Any = None,
    *,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    test_fraction: float = 0.2,
) -> Dataset:
    """Make a dataset of torch's, that is of whatever has a length and gives ``(example, label)``.

    Args:
        train: of n items. An example is a PIL image, an image as a tensor or array
            ([c, h, w] of floats from 0 to 1, or bytes), a vector of numbers, or a text. A label is
            a whole number or a string.
        test: another, the test set.
        classes: names of the labels 0 … C − 1; by default ``train.classes``, where it has them.
        size: resize PIL images to size × size pixels; without it all must have one size.
        test_fraction: of the examples of each class, the test set where none is given.

    Raises:
        DatasetError: the items are not such pairs, or another time they are other ones: random
            transforms belong into ``[training]``, as ``flip`` and ``crop``.

    Example:
        >>> import memtail_core as memtail, torch
        >>> x, y = torch.rand(40, 1, 8, 8), torch.arange(40) % 2
        >>> dataset = memtail.from_torch(torch.utils.data.TensorDataset(x, y), classes=["a", "b"])
        >>> dataset.shape, len(dataset.y_train), dataset.classes
        ((8, 8, 1), 32, ('a', 'b'))
    """
    if size is not None and not 1 <= size <= 4096:
        raise DatasetError(f"size = {size!r}: give the pixels of a side, 1 to 4096")
    base = _Base.of(train)
    x_train, y_train = _items(train, "train", size)
    x_test, y_test = (None, None) if test is None else _items(test, "test", size)
    if classes is None and not any(isinstance(label, str) for label in y_train):
        classes = base.classes
    names = base.names
    test_names = () if test is None else _Base.of(test).names
    splits = Splits(x_train, y_train, x_test, y_test, classes, names, test_names)
    return data.given(splits, test_fraction)


@dataclass(frozen=True)
class _Base:
    """The dataset that subsets are of, and the rows that are left of it."""

    dataset: Any
    rows: NDArray[np.int64] | None

    @classmethod
    def of(cls, dataset: Any) -> "_Base":
        rows = None
        while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):  # Subset
            own = np.asarray(dataset.indices, np.int64)
            rows = own if rows is None else own[rows]
            dataset = dataset.dataset
        return cls(dataset, rows)

    @property
    def classes(self) -> list[str] | None:
        """What torchvision's datasets call their classes."""
        first = next(iter(getattr(self.dataset, "datasets", ())), self.dataset)  # ConcatDataset
        names = getattr(first, "classes", None)
        if isinstance(names, list | tuple) and names and all(isinstance(n, str) for n in names):
            return list(names)
        return None

    @property
    def names(self) -> list[str]:
        """The files of an ``ImageFolder``, as seen from its folder; else nothing."""
        samples, root = getattr(self.dataset, "samples", None), getattr(self.dataset, "root", None)
        if not isinstance(samples, list) or not isinstance(root, str | os.PathLike):
            return []
        try:
            files = [os.path.relpath(sample[0], root).replace(os.sep, "/") for sample in samples]
        except (TypeError, IndexError, ValueError):  # another kind of dataset
            return []
        return files if self.rows is None else [files[row] for row in self.rows]


def _items(dataset: Any, name: str, size: int | None) -> tuple[Any, list[Any]]:
    """All examples as one array, or a list of texts, and their labels."""
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise DatasetError(
            f"{name} is a {type(dataset).__name__}: give a dataset with a length and items, not a "
            "loader or a stream"
        )
    n = len(dataset)
    if not n:
        raise DatasetError(f"{name} is empty")
    first, label = _item(dataset, 0, name, size)
    if isinstance(first, str):
        texts = [_item(dataset, row, name, size) for row in range(n)]
        return [text for text, _ in texts], [label for _, label in texts]
    x = np.empty((n, *first.shape), first.dtype)
    x[0], labels = first, [label]
    for row in range(1, n):
        example, label = _item(dataset, row, name, size)
        if isinstance(example, str) or example.shape != first.shape or example.dtype != x.dtype:
            raise DatasetError(_unlike(name, row, first, example))
        x[row] = example
        labels.append(label)
    for row in range(min(n, _READ_AGAIN)):
        again, _ = _item(dataset, row, name, size)
        if not np.array_equal(again, x[row]):
            raise DatasetError(
                f"{name}[{row}] is another example each time it is read: give the dataset without "
                "random transforms; [training] flip and crop vary images while models train"
            )
    return x, labels


def _unlike(name: str, row: int, first: NDArray[Any], example: Any) -> str:
    """Say how an example differs from the first, and what to do."""
    if isinstance(example, str):
        return f"{name}[{row}] is a text, {name}[0] is none"
    shapes = f"{name}[0] is {first.dtype} {list(first.shape)}, {name}[{row}] {example.dtype} "
    hint = "set size = 64, say, to resize images" if example.ndim > 1 else "they must be alike"
    return f"{shapes}{list(example.shape)}: {hint}"


def _item(dataset: Any, row: int, name: str, size: int | None) -> tuple[Any, Any]:
    """One example, as an array or a text, and its label."""
    try:
        item = dataset[row]
    except Exception as error:  # the user's code
        reason = f"{type(error).__name__}: {error}"
        raise DatasetError(f"reading {name}[{row}] failed: {reason}") from error
    if not isinstance(item, list | tuple) or len(item) != 2:
        of = f" of {counted(len(item), 'part')}" if isinstance(item, list | tuple) else ""
        raise DatasetError(
            f"{name}[{row}] is a {type(item).__name__}{of}: an item is (example, label)"
        )
    return _example(item[0], f"{name}[{row}]", size), _label(item[1], f"{name}[{row}]")


def _example(given: Any, name: str, size: int | None) -> Any:
    if isinstance(given, str):
        return given
    if isinstance(given, Image.Image):
        is_deep = given.mode in ("I", "F") or given.mode.startswith("I;16")
        if not is_deep:
            return shown_pixels(given, size)
        return np.asarray(given if size is None else given.resize((size, size)))
    try:
        array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DatasetError(f"the example of {name} is no array: {error}") from error
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise DatasetError(
            f"the example of {name} is a {type(given).__name__}: give an image, a tensor or a text"
        )
    if size is not None:
        raise DatasetError(
            f"size resizes PIL images; the example of {name} is a {type(given).__name__}: leave "
            "out the transform, or resize there"
        )
    return array


def _label(given: Any, name: str) -> Any:
    """A label as Python's own number or string."""
    if isinstance(given, str):
        return given
    array = np.asarray(given)
    if array.size != 1 or array.dtype.kind not in "iub":
        raise DatasetError(f"the label of {name} is {given!r}: give a whole number or a string")
    return int(array.reshape(()))
