"""``from_arrays``: numpy arrays, tensors, lists of numbers or of texts."""

from collections.abc import Sequence
from typing import Any

from memtail_core import data
from memtail_core.data.dataset import Dataset
from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError


def from_arrays(
    x_train: Any,
    y_train: Any,
    x_test: Any = None,
    y_test: Any = None,
    *,
    classes: Sequence[str] | None = None,
    train_names: Sequence[str] = (),
    test_names: Sequence[str] = (),
    features: Sequence[str] = (),
    modality: str | None = None,
    test_fraction: float = 0.2,
) -> Dataset:
    """Make a dataset of arrays.

    Args:
        x_train, x_test: images as uint8 [n, h, w] or [n, h, w, c] (c = 1, 3 or 4), as floats from
            0 to 1 or with their channels first; features as finite numbers [n, d]; or n texts.
        y_train, y_test: labels, whole numbers or strings, [n].
        classes: names of the labels 0 … C − 1; by default the sorted labels of the training set.
        train_names, test_names: a name per example, or nothing.
        features: a name per column, or nothing.
        modality: "images", "features" or "text"; by default what the arrays look like.
        test_fraction: of the examples of each class, the test set where none is given.

    Raises:
        DatasetError: one sentence that says what is wrong and where.

    Example:
        >>> import memtail_core as memtail
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris()
        >>> dataset = memtail.from_arrays(iris.data, iris.target, classes=list(iris.target_names))
        >>> len(dataset.y_train), len(dataset.y_test), dataset.classes
        (120, 30, ('setosa', 'versicolor', 'virginica'))
    """
    if x_train is None or y_train is None:
        raise DatasetError(f"{'x_train' if x_train is None else 'y_train'} is missing")
    splits = Splits(
        *(x_train, y_train, x_test, y_test, classes, train_names, test_names, features),
        modality=modality,
    )
    return data.given(splits, test_fraction)
