"""A table as a file holds it, and the rows of a training and a test table together."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow

from memtail_core.data.sources.table.faults import Faults, rows_beside
from memtail_core.data.sources.table.text import matching


@dataclass(frozen=True)
class File:
    """One table, as read.

    Attributes:
        path: as the user wrote it.
        table: columns of Arrow, their names in NFC.
        place: where a row is in the file, as "line 7".
        indices: columns that are an index of pandas.
        notes: how the file was read, where that is not plain.
        is_typed: whether the file says what its columns are; else they all are text.
    """

    path: str
    table: Any
    place: Callable[[int], str]
    indices: frozenset[str] = frozenset()
    notes: Sequence[str] = ()
    is_typed: bool = False


class Rows:
    """The rows of the training table, then those of the test table."""

    def __init__(self, files: Sequence[File]) -> None:
        self.files = files
        self.n_train = files[0].table.num_rows
        self.n = sum(file.table.num_rows for file in files)

    def at(self, row: int) -> str:
        """Where a row is: ``line 7 of 'a.csv'``."""
        file, row = (
            (self.files[0], row) if row < self.n_train else (self.files[1], row - self.n_train)
        )
        return f"{file.place(row)} of '{file.path}'"

    def first(self, rows: Any) -> str:
        """Where the first of some rows is, and how many more there are."""
        return f"{self.at(int(rows[0]))}{rows_beside(len(rows))}"

    def by_file(self, rows: Any) -> list[tuple[File, Any]]:
        """The files that hold some of ``rows``, with their rows as each file counts them."""
        rows = np.asarray(rows)
        parts = [rows[rows < self.n_train], rows[rows >= self.n_train] - self.n_train]
        return [(file, part) for file, part in zip(self.files, parts, strict=False) if len(part)]

    def together(self, name: str, faults: Faults) -> Any:
        """A column of both tables as one; None, and a fault, where they do not match."""
        columns = []
        for file in self.files:
            own = matching(name, file.table.column_names)
            if own is None:
                faults.add(
                    f"'{file.path}' has no column '{name}', which '{self.files[0].path}' has"
                )
                return None
            columns.append(decoded(file.table[own]))
        try:
            tables = [pyarrow.table({"": column}) for column in columns]
            return pyarrow.concat_tables(tables, promote_options="permissive")[""]
        except pyarrow.ArrowException:
            kinds = " and ".join(
                f"{column.type} in '{file.path}'"
                for column, file in zip(columns, self.files, strict=True)
            )
            faults.add(f"the column '{name}' is {kinds}: make them alike")
            return None


def decoded(column: Any) -> Any:
    """A column without the dictionary of a category behind it, and bytes as text if they are."""
    types = pyarrow.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_binary(column.type) or types.is_large_binary(column.type):
        with suppress(pyarrow.ArrowException):
            return column.cast("large_string" if types.is_large_binary(column.type) else "string")
    return column
