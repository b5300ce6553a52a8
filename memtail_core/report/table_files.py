"""Tables as Parquet, CSV and JSON, and Parquet as a table."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from memtail_core.report.spreadsheet import harmless
from memtail_core.running.machine import usable_cores

_ROWS = 2**16  # of CSV that a thread encodes at a time


def to_parquet(table: pa.Table) -> bytes:
    """Encode as Parquet; the same table gives the same bytes."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(content: bytes) -> pa.Table:
    """Decode Parquet; raises pyarrow's errors.

    ``pyarrow.parquet.read_table`` would import pandas where it is installed, which takes longer
    than to read a million rows.
    """
    return pyarrow.parquet.ParquetFile(pa.BufferReader(content)).read()


def to_csv(table: pa.Table) -> bytes:
    """Encode as CSV; a missing number is an empty field, a formula begins with an apostrophe."""
    return exact_csv(harmless(table)[0])


def exact_csv(table: pa.Table) -> bytes:
    """Encode as CSV with every text as it is; a missing number is an empty field."""
    starts = range(0, max(1, len(table)), _ROWS)

    def encoded(start: int) -> bytes:
        buffer, options = io.BytesIO(), pyarrow.csv.WriteOptions(include_header=start == 0)
        pyarrow.csv.write_csv(table.slice(start, _ROWS), buffer, options)
        return buffer.getvalue()

    with ThreadPoolExecutor(min(len(starts), usable_cores())) as threads:
        return b"".join(threads.map(encoded, starts))


def to_json(table: pa.Table) -> bytes:
    """Encode as a list of rows; a missing number is null."""
    return json.dumps(table.to_pylist(), ensure_ascii=False).encode() + b"\n"
