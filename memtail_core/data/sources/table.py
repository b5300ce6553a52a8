"""``csv:`` and ``parquet:`` tables; a column of words becomes one column of 0 and 1 per word."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError, did_you_mean

_MOST_VALUES = 100  # of a column of words


def load_csv(path: str, /, *, label: str, test: str | None = None) -> Splits:
    """Read a CSV file with a header; ``label`` names the label's column, ``test`` a test file."""
    return _load(pyarrow.csv.read_csv, path, label, test)


def load_parquet(path: str, /, *, label: str, test: str | None = None) -> Splits:
    """Read a Parquet file; ``label`` names the label's column, ``test`` a test file."""
    return _load(pyarrow.parquet.read_table, path, label, test)


def _load(read: Callable[[Path], Any], path: str, label: str, test: str | None) -> Splits:
    paths = [path, *([test] if test else [])]
    tables = [_table(read, each, label) for each in paths]
    columns = [name for name in tables[0].column_names if name != label]
    if not columns:
        raise DatasetError(f"'{path}' has no column beside the label '{label}'")
    if missing := [c for table in tables for c in columns if c not in table.column_names]:
        raise DatasetError(f"'{test}' has no column '{missing[0]}', which '{path}' has")
    for each, table in zip(paths, tables, strict=True):
        for name in [*columns, label]:
            _check_complete(table[name], name, each)
    try:  # a column may hold integers in one file and decimals in the other
        features = [table.select(columns) for table in tables]
        together = pyarrow.concat_tables(features, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise DatasetError(
            f"'{path}' and '{test}' do not match: {str(error).splitlines()[0]}"
        ) from error
    parts = [_numbers(together[name], name, path) for name in columns]
    x = np.concatenate([values for values, _ in parts], axis=1)
    names = [name for _, names in parts for name in names]
    labels = [_labels(table[label], label, each) for each, table in zip(paths, tables, strict=True)]
    if test is None:
        return Splits(x, labels[0], features=names)
    n = tables[0].num_rows
    return Splits(x[:n], labels[0], x[n:], labels[1], features=names)


def _table(read: Callable[[Path], Any], path: str, label: str) -> Any:
    file = Path(os.path.expanduser(path))
    if not file.is_file():
        raise DatasetError(f"there is no file '{file.absolute()}'")
    try:
        table = read(file)
        names = table.column_names
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    if table.num_rows == 0:
        raise DatasetError(f"'{path}' is empty: it has no rows")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DatasetError(f"'{path}' has two columns '{twice[0]}'")
    if label not in names:
        hint = ": are commas between its columns?" if len(names) == 1 else ""
        raise DatasetError(f"'{path}' has no column '{label}'{did_you_mean(label, names)}{hint}")
    return table


def _check_complete(column: Any, name: str, path: str) -> None:
    is_missing = column.is_null(nan_is_null=True)
    if _is_text(column.type):
        is_missing = pyarrow.compute.or_kleene(is_missing, pyarrow.compute.equal(column, ""))
    if pyarrow.compute.any(is_missing).as_py():
        at = pyarrow.compute.index(is_missing, True).as_py()
        raise DatasetError(f"'{path}' has no {name} in row {at} (counting from 0): fill or drop it")
    if pyarrow.types.is_binary(column.type) or pyarrow.types.is_large_binary(column.type):
        raise DatasetError(f"the column '{name}' of '{path}' is not UTF-8 text")


def _labels(column: Any, name: str, path: str) -> Any:
    if pyarrow.types.is_floating(column.type) or pyarrow.types.is_decimal(column.type):
        raise DatasetError(f"the label '{name}' of '{path}' holds decimals, not classes")
    if pyarrow.types.is_integer(column.type):
        return column.to_numpy()
    return np.array([str(value) for value in column.to_pylist()])


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_text(kind: Any) -> bool:
    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _numbers(column: Any, name: str, path: str) -> tuple[Any, list[str]]:
    """Return one column as float64 [n, 1], or as [n, words] of 0 and 1; and the name of each."""
    if pyarrow.types.is_dictionary(column.type):  # a category of pandas
        column = column.cast(column.type.value_type)
    kind = column.type
    if pyarrow.types.is_boolean(kind) or pyarrow.types.is_integer(kind):
        return column.to_numpy().astype(np.float64)[:, None], [name]
    if pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind):
        return column.cast("float64").to_numpy()[:, None], [name]
    if _is_text(kind):
        values = sorted(pyarrow.compute.unique(column).to_pylist())
        words = [value for value in values if not _is_number(value)]
        if 0 < len(words) < len(values) / 2:
            at = column.to_pylist().index(words[0])
            raise DatasetError(
                f"the column '{name}' of '{path}' holds '{words[0]}' in row {at} (counting from "
                "0), and mostly numbers elsewhere: fill or drop it"
            )
        if len(values) > _MOST_VALUES:
            raise DatasetError(
                f"the column '{name}' of '{path}' holds {len(values)} different words, not a "
                f"category (at most {_MOST_VALUES}): drop or encode it"
            )
        each = (np.asarray(column.to_pylist())[:, None] == np.array(values)).astype(np.float64)
        return each, [f"{name}={value}" for value in values]
    raise DatasetError(f"the column '{name}' of '{path}' is {kind}: numbers or words are needed")
