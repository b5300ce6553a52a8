"""Reads the column of labels: integers, truths and words are classes, decimals are none."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import types

from memtail_core.data.sources.table import numerals
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.sources.table.options import Options
from memtail_core.data.sources.table.text import Text, alike, is_text, nfc
from memtail_core.errors import did_you_mean

_MOST_LISTED = 20  # classes with which a name may be confused
_FEW_ROWS = 10
_MOST_WARNED = 5
_MANY = 0.5  # of the rows have a class that no other row has


@dataclass(frozen=True)
class Labels:
    """The labels of a training and a test table.

    Attributes:
        values: [n], integers or words; where one is missing it means nothing.
        is_missing: bool [n].
    """

    values: NDArray[Any]
    is_missing: NDArray[np.bool_]

    @classmethod
    def none(cls, n: int) -> "Labels":
        """Those of n examples without labels: all alike."""
        return cls(np.zeros(n, np.int64), np.zeros(n, np.bool_))

    def classes(self, n_train: int) -> list[str]:
        """The classes of the training table, in order."""
        known = self.values[:n_train][~self.is_missing[:n_train]]
        return [str(value) for value in np.unique(known)]

    def indices(self, n_train: int) -> NDArray[np.int64]:
        """The labels as indices of :meth:`classes`, int64 [n]; 0 where one is missing."""
        different = np.unique(self.values[:n_train][~self.is_missing[:n_train]])
        at = np.searchsorted(different, self.values) % max(len(different), 1)
        return np.where(self.is_missing, 0, at).astype(np.int64)


def read(name: str, rows: Rows, options: Options, faults: Faults) -> Labels | None:
    """Read the column of labels; None where a fault makes them unreadable.

    Labels of a CSV file are integers if all are, in both tables; 001 is a word.
    """
    column = rows.together(name, faults)
    if column is None:
        return None
    labels = _read(name, column, rows, options, faults)
    if labels is None:
        return None
    _check_known(name, labels, rows, faults)
    n, different = rows.n_train, len(labels.classes(rows.n_train))
    if n == rows.n and different >= _FEW_ROWS and different == (~labels.is_missing).sum():
        faults.add(
            f"the label '{name}' of '{rows.files[0].path}' is different in each of {different:,} "
            "rows: it is no class"
        )
    return labels


def warnings(name: str, labels: Labels, n_train: int) -> list[str]:
    """What looks wrong with the classes."""
    classes = labels.classes(n_train)
    pairs = alike(classes)
    lines = [
        f"the classes '{first}' and '{second}' of '{name}' differ in case or spaces only"
        for first, second in pairs[:_MOST_WARNED]
    ]
    if len(pairs) > _MOST_WARNED:
        lines.append(f"{len(pairs) - _MOST_WARNED:,} more pairs of classes differ so little")
    n = int((~labels.is_missing[:n_train]).sum())
    if len(classes) > max(_MANY * n, 2):
        lines.append(f"the label '{name}' has {len(classes)} classes in {n} rows: is it an id?")
    return lines


def _read(name: str, column: Any, rows: Rows, options: Options, faults: Faults) -> Labels | None:
    kind = column.type
    if types.is_binary(kind) or types.is_large_binary(kind):
        faults.add(f"the label '{name}' holds bytes that are not UTF-8 text")
        return None
    if types.is_struct(kind) or types.is_map(kind):
        faults.add(f"the label '{name}' of '{rows.files[0].path}' is {kind}: it is no class")
        return None
    if is_text(column.type):
        return _of_text(name, Text.of(column, options.na_values), rows, faults)
    is_missing = column.is_null(nan_is_null=True).to_numpy()
    if types.is_integer(kind):
        return Labels(column.fill_null(0).to_numpy(), is_missing)
    if types.is_floating(kind) or types.is_decimal(kind):
        values = column.cast("float64").fill_null(0.0).to_numpy()
        return _whole(name, np.where(is_missing, 0, values), is_missing, rows, faults)
    return _of_values(column)


def _of_values(column: Any) -> Labels:
    """Truths, moments, lists: what Python calls them."""
    words = ["" if value is None else nfc(str(value)) for value in _scalars(column)]
    return Labels(np.array(words), column.is_null(nan_is_null=True).to_numpy())


def _scalars(column: Any) -> list[Any]:
    """Python's values; Arrow's text for moments, which Python may not be able to hold."""
    if types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _of_text(name: str, text: Text, rows: Rows, faults: Faults) -> Labels | None:
    numbers = numerals.without_gaps(text)
    known = numbers.known()
    is_typed = rows.files[0].is_typed
    found = numerals.read(known, None) if len(known) and not is_typed else None
    if found is None or found.note:  # with leading zeros
        words = np.array(text.words.to_pylist() or [""])
        return Labels(words[text.codes], text.is_missing[text.codes])
    values = np.zeros(len(text.words), dtype=found.values.dtype)
    values[~numbers.is_missing] = found.values
    each, is_missing = values[text.codes], numbers.is_missing[text.codes]
    if found.is_boolean:
        return Labels(np.array(["False", "True"])[each.astype(int)], is_missing)
    if each.dtype.kind == "f":
        is_missing = is_missing | np.isnan(each)
        return _whole(name, np.where(is_missing, 0, each), is_missing, rows, faults)
    return Labels(each, is_missing)


def _whole(
    name: str,
    values: NDArray[np.float64],
    is_missing: NDArray[np.bool_],
    rows: Rows,
    faults: Faults,
) -> Labels | None:
    """Labels such as 1.0 and 0.0, which are integers."""
    bad = np.flatnonzero((values != np.floor(values)) | (np.abs(values) > 2**53))
    if not len(bad):
        return Labels(values.astype(np.int64), is_missing)
    faults.add(
        f"the label '{name}' of '{rows.files[0].path}' holds decimals, not classes: "
        f"{values[bad[0]]:g} in {rows.first(bad)}"
    )
    return None


def _check_known(name: str, labels: Labels, rows: Rows, faults: Faults) -> None:
    """Every class of the test table must be one of the training table."""
    n = rows.n_train
    test = labels.values[n:]
    unseen = ~np.isin(test, labels.values[:n][~labels.is_missing[:n]]) & ~labels.is_missing[n:]
    if not unseen.any():
        return
    classes = labels.classes(n)
    for value in np.unique(test[unseen])[:5]:
        at = n + np.flatnonzero(unseen & (test == value))
        hint = did_you_mean(str(value), classes) if len(classes) <= _MOST_LISTED else ""
        faults.add(
            f"the label '{name}' is '{value}' in {rows.first(at)}, and in no row of "
            f"'{rows.files[0].path}'{hint}"
        )
