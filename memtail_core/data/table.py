"""``csv:`` and ``parquet:`` tables: numbers as they are, words as one column per value."""

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
    tables = [_table(read, each, label) for each in [path, *([test] if test else [])]]
    columns = [name for name in tables[0].column_names if name != label]
    if not columns:
        raise DatasetError(f"'{path}' has no column beside the label '{label}'")
    if missing := [c for table in tables for c in columns if c not in table.column_names]:
        raise DatasetError(f"'{test}' has no column '{missing[0]}', which '{path}' has")
    lengths = [table.num_rows for table in tables]
    together = pyarrow.concat_tables([table.select(columns) for table in tables], **_PERMISSIVE)
    x = np.concatenate([_numbers(together[name], name, path) for name in columns], axis=1)
    labels = [_labels(table[label], label, path) for table in tables]
    if test is None:
        return Splits(x, labels[0])
    return Splits(x[: lengths[0]], labels[0], x[lengths[0] :], labels[1])


_PERMISSIVE = {"promote_options": "permissive"}  # integers in one file, decimals in the other


def _table(read: Callable[[Path], Any], path: str, label: str) -> Any:
    file = Path(path).expanduser()
    if not file.is_file():
        raise DatasetError(f"there is no file '{file.absolute()}'")
    try:
        table = read(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    if label not in table.column_names:
        hint = did_you_mean(label, table.column_names)
        raise DatasetError(f"'{path}' has no column '{label}'{hint}")
    return table


def _labels(column: Any, name: str, path: str) -> Any:
    if column.null_count:
        at = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise DatasetError(f"'{path}' has no {name} in row {at}: fill or drop it")
    values = column.to_pylist()
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.int64)
    if any(isinstance(value, float) for value in values):
        raise DatasetError(f"the label '{name}' of '{path}' holds decimals, not classes")
    return np.array([str(value) for value in values])


def _numbers(column: Any, name: str, path: str) -> Any:
    """One column as float32 [n, 1], or [n, values] of 0 and 1 for words."""
    if column.null_count:
        at = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise DatasetError(f"'{path}' has no {name} in row {at}: fill or drop it")
    kind = column.type
    if pyarrow.types.is_boolean(kind) or pyarrow.types.is_integer(kind):
        return column.to_numpy().astype(np.float32)[:, None]
    if pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind):
        return column.cast("float64").to_numpy().astype(np.float32)[:, None]
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        values = sorted(pyarrow.compute.unique(column).to_pylist())
        if len(values) > _MOST_VALUES:
            raise DatasetError(
                f"the column '{name}' of '{path}' holds {len(values)} different words, not a "
                f"category (at most {_MOST_VALUES}): drop or encode it"
            )
        words = np.asarray(column.to_pylist())
        return (words[:, None] == np.array(values)).astype(np.float32)
    raise DatasetError(f"the column '{name}' of '{path}' is {kind}: numbers or words are needed")
