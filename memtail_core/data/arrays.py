"""Turns arrays and frames as people hand them over into plain arrays, without losing what they say.

A frame names its columns, a masked array says what is missing, bytes can be text, and images come
as floats or with their channels first. :func:`plain` takes all this into account and says so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import Account
from memtail_core.data.examples import Examples
from memtail_core.data.missing_values import is_missing
from memtail_core.data.modalities.text.cleaning import are_texts, as_texts
from memtail_core.data.pixels import as_images
from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError

_MADE_OF_NOTHING = ("nan", "NaN", "None", "<NA>", "NA", "N/A", "null", "")


def plain(splits: Splits) -> Splits:
    """Return the same splits with examples as plain arrays; the account says what was changed.

    Raises:
        DatasetError: something is missing, or the columns of the two sets differ.
    """
    if isinstance(splits.x_train, Examples):  # a source that keeps them plain
        return replace(splits, account=splits.account + _odd_labels(splits))
    if splits.modality in (None, "text") and are_texts(splits.x_train):
        return _texts(splits)
    x_train, x_test, columns, account = _matched(splits.x_train, splits.x_test)
    if columns is not None and not len(_words(splits.features)):
        splits = replace(splits, features=columns)
    if x_train is not None:
        x_train = array(x_train, "x_train")
    if x_test is not None:
        x_test = array(x_test, "x_test")
    if splits.modality in (None, "images"):
        x_train, x_test, of_images = as_images(x_train, x_test)
        account = account + of_images
    account = splits.account + account + _odd_labels(splits)
    return replace(splits, x_train=x_train, x_test=x_test, account=account)


def _texts(splits: Splits) -> Splits:
    """Clean the texts of both sets."""
    x_train, account = as_texts(splits.x_train, "x_train")
    x_test = splits.x_test
    if x_test is not None:
        if len(x_test) and not are_texts(x_test):
            raise DatasetError("x_train holds texts, x_test does not: both must be alike")
        x_test, of_test = as_texts(x_test, "x_test")
        account = account + of_test
    account = splits.account + account + _odd_labels(splits)
    return replace(splits, x_train=x_train, x_test=x_test, modality="text", account=account)


def array(given: Any, name: str) -> NDArray[Any]:
    """Return ``given`` as a plain array; bytes become text.

    Raises:
        DatasetError: it has missing values, or no array can be made of it.
    """
    if isinstance(given, np.ma.MaskedArray):
        if (missing := np.argwhere(np.ma.getmaskarray(given))).size:
            at = ", ".join(map(str, missing[0]))
            raise DatasetError(f"{name}[{at}] is masked, that is missing: fill or drop it")
        given = given.data
    if hasattr(given, "toarray"):
        raise DatasetError(f"{name} is a sparse matrix: give {name}.toarray()")
    if str(getattr(given, "dtype", "")) == "torch.bfloat16":  # numpy has no such type
        given = given.float()
    try:
        made: NDArray[Any] = np.asarray(given)
        return np.char.decode(made, "utf-8") if made.dtype.kind == "S" else made
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors with gradients
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{name} cannot be made an array: {reason}") from error


def _odd_labels(splits: Splits) -> Account:
    """Warn of texts that numpy, pandas and R make of missing labels."""
    warnings = []
    for name, given in (("y_train", splits.y_train), ("y_test", splits.y_test)):
        labels = given.tolist() if isinstance(given, np.ndarray) else given
        if not isinstance(labels, list | tuple):
            continue
        texts = Counter(label for label in labels if isinstance(label, str))
        for text in _MADE_OF_NOTHING:
            if n := texts[text]:
                warnings.append(f"{n:,} labels of {name} are '{text}': are they missing?")
    return Account(warnings=tuple(warnings))


def _words(given: Any) -> Sequence[Any]:
    return () if given is None or not hasattr(given, "__len__") else given


def _matched(train: Any, test: Any) -> tuple[Any, Any, list[str] | None, Account]:
    """Turn frames into arrays with the same columns in the same order, which names decide."""
    labels = _labels(train)
    if labels is None:
        if (of_test := _labels(test)) is not None:
            test = _stacked(test, of_test, "x_test")
        return train, test, None, Account()
    names = [str(label) for label in labels]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DatasetError(f"two columns of x_train are called '{twice[0]}'")
    lines: tuple[str, ...] = ()
    of_test = None if test is None else _labels(test)
    if of_test is not None:
        theirs = [str(label) for label in of_test]
        strange = sorted(set(names) ^ set(theirs))
        if strange or len(theirs) != len(names):
            column = strange[0] if strange else max(theirs, key=theirs.count)
            holder, other = ("x_train", "x_test") if column in names else ("x_test", "x_train")
            raise DatasetError(
                f"{holder} has the column '{column}', {other} has not: both need the same columns"
                if strange
                else f"two columns of x_test are called '{column}'"
            )
        if theirs != names:
            lines = ("columns of x_test put in the order of x_train's: they are matched by name",)
        by_name = dict(zip(theirs, of_test, strict=True))
        test = _stacked(test, [by_name[name] for name in names], "x_test")
    return _stacked(train, labels, "x_train"), test, names, Account(lines)


def _labels(given: Any) -> list[Any] | None:
    """The labels of the columns of a frame or a structured array; None of what has none."""
    if isinstance(given, np.ndarray):
        return None if given.dtype.names is None else list(given.dtype.names)
    if hasattr(given, "column_names"):  # pyarrow
        return list(given.column_names)
    parts = ("columns", "to_numpy", "__getitem__")  # of pandas and polars
    if all(hasattr(given, part) for part in parts):
        return list(given.columns)
    return None


def _stacked(frame: Any, labels: Sequence[Any], name: str) -> NDArray[Any]:
    if not labels:
        raise DatasetError(f"{name} has no columns")
    return np.column_stack([_column(frame[label], str(label), name) for label in labels])


def _column(given: Any, label: str, name: str) -> NDArray[Any]:
    """One column as numbers; what is no number is refused with its row."""
    column = array(given, f"{name}['{label}']")
    if column.ndim != 1:
        raise DatasetError(f"{name}: the column '{label}' holds arrays, not numbers")
    if column.dtype.kind in "fiub":
        return column
    if column.dtype.kind in "mM":
        raise DatasetError(f"{name}: the column '{label}' holds dates: make them numbers")
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            raise DatasetError(
                f"{name}: the column '{label}' has no value in row {row} (counting from 0): fill "
                "or drop it"
            )
        if not isinstance(value, Real):
            raise DatasetError(
                f"{name}: the column '{label}' holds {value!r} in row {row}: make it numbers, or "
                "save the frame and read it with parquet:, which takes words"
            )
    return column.astype(np.float64)
