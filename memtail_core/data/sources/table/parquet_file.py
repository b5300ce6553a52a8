"""Reads a Parquet file, with what pandas wrote about its index."""

from typing import Any

import pyarrow
import pyarrow.parquet
from pydantic_core import from_json

from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.paths import existing
from memtail_core.data.sources.table.text import nfc
from memtail_core.errors import DatasetError


def read(path: str) -> File:
    """Read the Parquet file at ``path``; raises DatasetError if it is none."""
    file = existing(path)
    try:  # the file alone: names of folders, as label=cat/, are no columns
        with pyarrow.parquet.ParquetFile(file) as parquet:
            table = parquet.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    return of_table(path, table)


def of_table(path: str, table: Any) -> File:
    """The rows of an Arrow table that is called ``path``; an index of pandas is no column."""
    indices = frozenset(_indices(table.schema.metadata or {}))
    table = table.rename_columns([nfc(name) for name in table.column_names])
    return File(path, table, lambda row: f"row {row} (counting from 0)", indices, is_typed=True)


def _indices(metadata: dict[bytes, bytes]) -> list[str]:
    """Columns that were the index of a frame; a RangeIndex has none."""
    try:
        pandas: Any = from_json(metadata.get(b"pandas", b"{}"))
        return [nfc(name) for name in pandas.get("index_columns", []) if isinstance(name, str)]
    except (ValueError, AttributeError, TypeError):  # another program's
        return []
