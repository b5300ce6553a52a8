"""Turns columns into numbers for a network: float32 keeps them apart, no value is missing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.sources.table.columns import Column
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.sources.table.options import Missing
from memtail_core.data.sources.table.precision import precise
from memtail_core.data.sources.table.text import alike

_ID = re.compile(
    r"(.*[\W_])?(id|ids|idx|index|uuid|guid|row|no|nr)|.*[a-z](Id|ID|Index)", re.DOTALL
)
_FEW_ROWS = 10


@dataclass(frozen=True)
class Feature:
    """A column as one or several columns of numbers.

    Attributes:
        names: of the k columns.
        values: float64 [n, k].
        filled: what stands where values were missing, or nothing where none were.
        note: what was done to its numbers, or nothing.
        warnings: what may be a mistake in it.
    """

    names: list[str]
    values: NDArray[np.float64]
    filled: str = ""
    warnings: tuple[str, ...] = ()
    note: str = ""


def finite(column: Column, rows: Rows, faults: Faults) -> bool:
    """Note a fault where a number is infinite or too large for float32."""
    if column.kind == "words":
        return True
    with np.errstate(over="ignore"):
        small = column.values.astype(np.float64).astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(small) & ~column.is_missing)
    if not len(bad):
        return True
    value = column.values[bad[0]]
    is_infinite = not np.isfinite(float(value))
    faults.add(
        f"the column '{column.name}' holds {value} in {rows.first(bad)}: "
        + ("mend or drop it" if is_infinite else "it is too large for float32: rescale the column")
    )
    return False


def feature(column: Column, n_train: int, missing: Missing) -> Feature:
    """Make numbers of a column whose missing values ``missing`` fills, if there are any."""
    warnings = tuple(filter(None, [column.warning, *_warnings(column, n_train)]))
    if column.kind == "words":
        return replace(_of_words(column, n_train, missing), warnings=warnings)
    numbers = precise(column.values, ~column.is_missing, n_train)
    if numbers.is_coarse:
        lost = numbers.n_different - numbers.n_kept
        warnings += (
            f"{lost:,} of the {numbers.n_different:,} different numbers of the column "
            f"'{column.name}' become equal to another one in float32: rescale it",
        )
    name, values, note = column.name, numbers.values, ""
    if numbers.centre is not None:
        name += f" - {numbers.centre}" if numbers.centre >= 0 else f" + {-numbers.centre}"
        note = f"{name}: so far from 0 float32 makes different numbers equal"
    if not column.is_missing.any():
        return Feature([name], values[:, None], warnings=warnings, note=note)
    known = values[:n_train][~column.is_missing[:n_train]]
    median = float(np.median(known)) if len(known) else 0.0
    values = np.where(column.is_missing, median, values)
    filled = f"the median, {median + float(numbers.centre or 0):.10g}"
    if missing == "impute":
        return Feature([name], values[:, None], filled, warnings, note)
    both = np.column_stack([values, column.is_missing])
    return Feature(
        [name, f"{column.name} is missing"], both, f"{filled}, and marked", warnings, note
    )


def _of_words(column: Column, n_train: int, missing: Missing) -> Feature:
    codes, names = column.values, [f"{column.name}={word}" for word in column.words]
    filled = ""
    if column.is_missing.any():
        if missing == "impute":
            known = codes[:n_train][~column.is_missing[:n_train]]
            most = int(np.bincount(known, minlength=1).argmax())
            codes, filled = np.where(column.is_missing, most, codes), f"'{column.words[most]}'"
        else:
            codes = np.where(column.is_missing, len(names), codes)
            names, filled = [*names, f"{column.name} is missing"], "a category"
    one_hot = (codes[:, None] == np.arange(len(names))).astype(np.float64)
    return Feature(names, one_hot, filled)


def _warnings(column: Column, n_train: int) -> Iterator[str]:
    for first, second in alike(column.words):
        yield (
            f"the words '{first}' and '{second}' of the column '{column.name}' differ in case or "
            "spaces only"
        )
    if column.kind == "number" and column.values.dtype.kind in "iuO" and n_train >= _FEW_ROWS:
        yield from _of_an_index(column, column.values[:n_train])


def _of_an_index(column: Column, values: NDArray[Any]) -> Iterator[str]:
    counts = int(values.max()) - int(values.min()) == len(values) - 1
    is_named_so = _ID.fullmatch(column.name) is not None
    if not (counts or is_named_so) or column.is_missing.any():
        return
    if len(np.unique(values)) < len(values):
        return
    advice = f'ignore = ["{column.name}"] leaves it out'
    if counts:
        yield f"the column '{column.name}' numbers the rows and says nothing about them: {advice}"
    else:
        yield f"the column '{column.name}' is different in every row, as an id is: {advice}"
