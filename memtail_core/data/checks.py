"""Checks arrays, labels and names that a source returned; says in one sentence what is wrong."""

from collections import Counter
from collections.abc import Mapping, Set
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.arrays import array
from memtail_core.data.examples import Examples
from memtail_core.data.missing_values import is_missing
from memtail_core.data.modalities import MODALITIES, Modality, modality_of, named
from memtail_core.data.wording import printable
from memtail_core.errors import DatasetError

_KINDS = "whole numbers, or strings"
_WHOLE = 2**53  # floats beyond do not hold every whole number


def checked_split(
    x: Any, y: Any, split: str, modality: str | None = None
) -> tuple[Any, NDArray[Any], Modality]:
    """Check and normalise the examples and labels of one split, before anything is drawn from it.

    Args:
        x, y: examples and labels as a source returned them; examples may be :class:`.Examples`.
        split: "train" or "test", for messages.
        modality: its name; by default the modality that the array looks like.

    Returns:
        The examples, an array or :class:`.Examples` as before; labels, int64 or text [n]; and what
        the examples are.

    Raises:
        DatasetError: one sentence, with the position in the arrays as they were given.
    """
    x, of = _examples(x, f"x_{split}", modality)
    y = _labels(y, f"y_{split}")
    if len(x) != len(y):
        raise DatasetError(f"x_{split} has {len(x)} examples, y_{split} {len(y)} labels")
    if len(x) == 0:
        raise DatasetError(f"x_{split} is empty")
    return x, y, of


def check_alike(y_train: NDArray[Any], y_test: NDArray[Any]) -> None:
    """Check that both sets have integers for labels, or both have strings."""
    if y_train.dtype.kind != y_test.dtype.kind:
        raise DatasetError(
            f"y_train is {y_train.dtype}, y_test {y_test.dtype}: both must be integers or both "
            "strings"
        )


def checked_classes(classes: Any) -> tuple[str, ...]:
    """Return class names as text; no two may be equal."""
    n = len(classes) if hasattr(classes, "__len__") else 0
    names = checked_names(classes, n, "classes")
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise DatasetError(f"two classes are called '{twice}'")
    return names


def checked_names(names: Any, n: int, what: str) -> tuple[str, ...]:
    """Return ``names`` as text that can be stored and printed: n of them, or none."""
    names = () if names is None else names
    if isinstance(names, str) or not hasattr(names, "__len__"):
        raise DatasetError(f"{what} is {names!r}: give a list of names")
    if isinstance(names, Set | Mapping):  # a set's order changes from one process to the next
        raise DatasetError(f"{what} is a {type(names).__name__}: give a list of names, in order")
    if len(names) not in (0, n):
        raise DatasetError(f"{len(names)} {what} for {n} examples")
    texts = (name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names)
    return tuple(printable(str(name)) for name in texts)


def _examples(given: Any, name: str, modality: str | None) -> tuple[Any, Modality]:
    if isinstance(given, Examples):  # prepared when they were packed
        looks = modality_of(given.shape, given.dtype)
        of = named(modality) if modality is not None else looks
        assert of is not None
        return given, of
    x = array(given, name)
    if x.ndim > 1 and len(x) and x.size == 0:
        raise DatasetError(f"{name} has shape {list(x.shape)}: its examples hold nothing")
    of = named(modality) if modality is not None else modality_of(x.shape[1:], x.dtype)
    if of is None:
        choices = ", or ".join(each.expected for each in MODALITIES.values())
        raise DatasetError(f"{name} is {x.dtype} {list(x.shape)}: give {choices}")
    return of.prepare(x, name), of


def _labels(given: Any, name: str) -> NDArray[Any]:
    if isinstance(given, list | tuple) and not any(label is None for label in given):
        of_text = [isinstance(label, str) for label in given]
        if any(of_text) and not all(of_text):
            raise DatasetError(f"{name} mixes strings with others: labels are {_KINDS}")
    y = array(given, name)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        one_hot = y.ndim == 2 and y.dtype.kind in "fiub" and ((y == 1).sum(1) == 1).all()
        hint = f"; of one-hot rows that is {name}.argmax(1)" if one_hot else ""
        raise DatasetError(
            f"{name} has shape {list(y.shape)}: give one label per example, [n]{hint}"
        )
    y = _whole_or_text(y, name)
    if y.dtype.kind == "U":
        return y
    if y.dtype.kind not in "iub":
        raise DatasetError(f"{name} is {y.dtype}: labels are {_KINDS}")
    if len(y) and int(y.max()) > np.iinfo(np.int64).max:
        raise DatasetError(f"{name} holds {y.max()}: labels are below 2⁶³, or strings")
    return y.astype(np.int64)


def _whole_or_text(y: NDArray[Any], name: str) -> NDArray[Any]:
    """Return objects that are all text, or all whole numbers, as that; whole floats as integers."""
    if y.dtype.kind in "OfmM":
        for i, label in enumerate(y.tolist()):
            if is_missing(label):
                raise DatasetError(f"{name}[{i}] is missing: fill or drop it")
    if y.dtype.kind == "O" and all(isinstance(label, str) for label in y):
        return y.astype(np.str_)
    if y.dtype.kind == "O" and all(isinstance(label, Integral) for label in y):
        return np.array(y.tolist())
    if y.dtype.kind == "f" and (y == np.rint(y)).all() and (np.abs(y) < _WHOLE).all():
        return y.astype(np.int64)  # 0.0 and 1.0, −1.0 and 1.0
    return y


def class_indices(y: NDArray[Any], n_classes: int, name: str) -> NDArray[Any]:
    """Return ``y`` after checking that it holds indices of n_classes named classes."""
    if y.dtype.kind == "U":
        raise DatasetError(f"{name} holds strings: with class names given, labels are indices")
    if len(y) and not 0 <= y.min() <= y.max() < n_classes:
        at = int(np.argmax(y) if y.max() >= n_classes else np.argmin(y))
        hint = ": labels count from 0" if (y.min(), y.max()) == (1, n_classes) else ""
        raise DatasetError(f"{name}[{at}] is {y[at]}, but there are {n_classes} class names{hint}")
    return y
