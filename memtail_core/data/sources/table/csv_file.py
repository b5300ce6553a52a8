"""Reads the rows of a CSV file, and says which of them cannot be rows.

Every field stays text: what a column is, is decided over the training and the test file together.
"""

import csv
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pyarrow.csv

from memtail_core.data.sources.table.dialect import Dialect, find
from memtail_core.data.sources.table.encodings import decoded
from memtail_core.data.sources.table.faults import Faults, rows_beside
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.paths import existing
from memtail_core.data.sources.table.text import nfc
from memtail_core.errors import DatasetError

_LARGEST_BLOCK = 2**31 - 1  # bytes; a row must fit in one
_NAMES = {"\t": "tabs"}


def read(
    path: str, label: str, delimiter: str | None, encoding: str | None, faults: Faults
) -> File:
    """Read the CSV file at ``path``; ``label``, a column, tells what separates the columns.

    Raises:
        StudyError: an option is wrong.
        DatasetError: the file cannot be read at all. What is wrong with some rows is in ``faults``.
    """
    content, was = decoded(existing(path), path, encoding)
    dialect = find(content, label, delimiter)
    notes = [f"encoding {was}"] if was else []
    if dialect.delimiter != ",":
        name = _NAMES.get(dialect.delimiter, f"'{dialect.delimiter}'")
        notes.append(f"columns separated by {name}")
    if dialect.n_above:
        notes.append(f"lines above the header: {dialect.n_above}")
    names = [nfc(name) for name in dialect.header]
    table, is_ragged = _table(dialect, path)
    if is_ragged:
        _report_ragged(dialect, path, faults)
    table, n_blank = _without_blank_rows(table)
    if n_blank:
        notes.append(f"rows without any value left out: {n_blank:,}")
    _check_closed(dialect, table, path, faults)
    return File(path, table.rename_columns(_unnamed(names)), dialect.place, notes=notes)


def _table(dialect: Dialect, path: str) -> tuple[Any, bool]:
    """All fields below the header as text, and whether rows of another length were left out."""
    n_ragged = 0

    def skip(row: Any) -> str:
        nonlocal n_ragged
        n_ragged += bool(row.text.strip())
        return "skip"

    columns = {f"f{i}": pyarrow.string() for i in range(len(dialect.header))}
    block = 1 << 20
    while True:
        n_ragged = 0
        try:
            table = pyarrow.csv.read_csv(
                pyarrow.BufferReader(dialect.content),
                pyarrow.csv.ReadOptions(autogenerate_column_names=True, block_size=block),
                pyarrow.csv.ParseOptions(
                    delimiter=dialect.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=skip,
                ),
                pyarrow.csv.ConvertOptions(column_types=columns),
            )
            break
        except pyarrow.ArrowException as error:
            reason = str(error).splitlines()[0]
            if "straddling" in reason and block < _LARGEST_BLOCK:
                block = min(block * 32, _LARGEST_BLOCK)
                continue
            if "Empty CSV" in reason:
                raise DatasetError(f"'{path}' is empty") from error
            raise DatasetError(f"'{path}' is not a CSV file that can be read: {reason}") from error
    if table.num_columns != len(dialect.header):
        raise DatasetError(f"the first line of '{path}' must name its columns")
    return table.slice(1), n_ragged > 0


def _report_ragged(dialect: Dialect, path: str, faults: Faults) -> None:
    wanted = len(dialect.header)
    try:
        wrong = [(at, len(each)) for at, each in dialect.records() if len(each) != wanted]
    except csv.Error:
        wrong = []
    if not wrong:
        faults.add(f"'{path}' has rows with more or fewer than the {wanted} fields of its header")
        return
    line, n = wrong[0]
    advice = (
        "name the extra column in the header, or remove the sign that ends the rows"
        if all(n == wanted + 1 for _, n in wrong)
        else "put fields that hold the separator in double quotes, or drop these rows"
    )
    others = f", as lines {', '.join(str(at) for at, _ in wrong[1:5])}" if len(wrong) > 1 else ""
    faults.add(
        f"line {line} of '{path}' has {n} field{'s' if n != 1 else ''}, the header {wanted}"
        f"{rows_beside(len(wrong))}{others}: {advice}"
    )


def _without_blank_rows(table: Any) -> tuple[Any, int]:
    """Leave out the rows in which every field is blank, as spreadsheets append them."""
    is_blank = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        if not is_blank.any():
            return table, 0
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        is_blank &= blank.to_numpy(zero_copy_only=False) if len(column) else is_blank
    if not is_blank.any():
        return table, 0
    return table.filter(pyarrow.array(~is_blank)), int(is_blank.sum())


def _check_closed(dialect: Dialect, table: Any, path: str, faults: Faults) -> None:
    """A quote that is never closed makes one field of the rest of the file."""
    if dialect.content.count(b'"') % 2 == 0 or not table.num_rows:
        return
    last = [column[-1].as_py() for column in table.columns]
    if any("\n" in field or "\r" in field for field in last):
        at = dialect.place(table.num_rows - 1)
        faults.add(f"the quote that opens in {at} of '{path}' is never closed: close or remove it")


def _unnamed(names: list[str]) -> list[str]:
    """Names for the columns that have none, as pandas gives them."""
    return [name if name.strip() else f"Unnamed: {i}" for i, name in enumerate(names)]
