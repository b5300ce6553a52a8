"""Corrected labels, as people send them back: a CSV file, or what Label Studio exports as JSON.

A row names an example by its ``index``, its ``name`` or both, and its ``label`` as a class name. A
row with the label that the study has changes nothing; examples without a row keep their labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from memtail_core.data import Dataset
from memtail_core.data.sources.table import csv_file
from memtail_core.data.sources.table.faults import Faults
from memtail_core.errors import DatasetError, did_you_mean
from memtail_core.report.spreadsheet import is_formula

_LABEL = "label"
_MOST_NAMED = 20  # classes, in a message


@dataclass(frozen=True)
class Change:
    """One corrected label: of the training example ``index``, called ``name``."""

    index: int
    name: str
    before: str
    after: str


def read(path: Path, dataset: Dataset) -> list[Change]:
    """Read what changes, by index.

    Raises:
        DatasetError: the file cannot be read, names an unknown example or class, or contradicts
            itself; nothing changes.
    """
    rows = _tasks(path) if path.suffix.lower() == ".json" else _rows(path)
    by_name: dict[str, int] = {}
    for i in reversed(range(len(dataset.y_train))):
        by_name[dataset.train_name(i)] = i
    n_names = len(by_name)
    chosen: dict[int, int] = {}
    for where, index, name, given in rows:
        i = _example(where, index, name, dataset, by_name, n_names)
        label = _exact(given, dataset.classes)
        if label not in dataset.classes:
            known = list(dataset.classes)
            hint = did_you_mean(label, known) if len(known) <= _MOST_NAMED else ""
            raise DatasetError(f"{where}: '{label}' is not a class of this study{hint}")
        c = dataset.classes.index(label)
        if chosen.setdefault(i, c) != c:
            raise DatasetError(
                f"{where}: '{label}' for {dataset.train_name(i)}, which another row labels "
                f"'{dataset.classes[chosen[i]]}'"
            )
    changes = [
        Change(i, dataset.train_name(i), dataset.classes[before], dataset.classes[chosen[i]])
        for i in sorted(chosen)
        if (before := int(dataset.y_train[i])) != chosen[i]
    ]
    if not changes:
        raise DatasetError(f"no label in '{path}' differs from the study's: nothing changes")
    return changes


def applied(changes: list[Change], dataset: Dataset) -> NDArray[np.int64]:
    """Return the labels after the changes, int64 [n]."""
    y = dataset.y_train.copy()
    for change in changes:
        y[change.index] = dataset.classes.index(change.after)
    return y


_Row = tuple[str, str | None, str | None, str]  # where it is, index, name, label


def _rows(path: Path) -> Iterator[_Row]:
    faults = Faults()
    file = csv_file.read(str(path), _LABEL, None, None, faults)
    faults.check()
    names = file.table.column_names
    if _LABEL not in names or not {"index", "name"} & set(names):
        raise DatasetError(
            f"'{path}' has the columns {', '.join(names)[:200]}: 'label' and 'index' or 'name' are "
            "needed, as memtail export --to csv writes them"
        )
    columns = [
        file.table[name].to_pylist() if name in names else [None] * file.table.num_rows
        for name in ("index", "name", _LABEL)
    ]
    for row, (index, name, label) in enumerate(zip(*columns, strict=True)):
        where = f"{file.place(row)} of '{path}'"
        if not label:
            raise DatasetError(f"{where} has no label: fill it in, or delete the row")
        yield where, index or None, name or None, label


def _tasks(path: Path) -> Iterator[_Row]:
    """Read what Label Studio exports: tasks with annotations; those without one are left out."""
    try:
        tasks = from_json(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"cannot read '{path}': {error.strerror or error}") from error
    except ValueError as error:
        raise DatasetError(f"'{path}' is no JSON: {str(error).splitlines()[0]}") from error
    for number, task in enumerate(tasks if isinstance(tasks, list) else [tasks]):
        where = f"task {number} of '{path}'"
        try:
            data = task["data"]
            labels = [
                result["value"]["choices"][0]
                for annotation in task["annotations"]
                if not annotation.get("was_cancelled")
                for result in annotation["result"]
            ]
            index, name = data.get("index"), data.get("name")
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise DatasetError(
                f"{where} is not what Label Studio exports of memtail's tasks: export as JSON"
            ) from error
        if len(set(labels)) > 1:
            raise DatasetError(f"{where}: annotators disagree, {' and '.join(map(str, labels))}")
        if labels:
            yield where, None if index is None else str(index), _text(name), str(labels[0])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _example(
    where: str,
    index: str | None,
    name: str | None,
    dataset: Dataset,
    by_name: dict[str, int],
    n_names: int,
) -> int:
    n = len(dataset.y_train)
    if index is not None:
        if not index.isdecimal() or int(index) >= n:
            raise DatasetError(f"{where}: there is no example {index}, only 0 to {n - 1}")
        i = int(index)
        if name is not None and _exact(name, (dataset.train_name(i),)) != dataset.train_name(i):
            raise DatasetError(
                f"{where}: example {i} is {dataset.train_name(i)}, not {name}: is the file of "
                "another study?"
            )
        return i
    name = _exact(name or "", tuple(by_name))
    if name not in by_name:
        raise DatasetError(f"{where}: no training example is called '{name}'")
    if n_names < n and sum(dataset.train_name(i) == name for i in range(n)) > 1:
        raise DatasetError(f"{where}: several examples are called '{name}': give their index")
    return by_name[name]


def _exact(text: str, known: tuple[str, ...]) -> str:
    """Take away the apostrophe that memtail wrote before what a spreadsheet would run."""
    is_marked = text.startswith("'") and is_formula(text[1:]) and text not in known
    return text[1:] if is_marked else text
