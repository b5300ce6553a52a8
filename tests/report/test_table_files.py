"""Tables as files: what pyarrow reads and writes in one piece."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from memtail_core.report import table_files


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 8, 11])
def test_csv_in_pieces_is_csv_in_one(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "_ROWS", 4)
    values = np.random.default_rng(0).normal(size=rows)
    table = pa.table({"index": np.arange(rows), "value": values, "name": ['a "b", c'] * rows})
    whole = io.BytesIO()
    pyarrow.csv.write_csv(table, whole)
    assert table_files.exact_csv(table) == whole.getvalue()


def test_parquet_is_read_as_pyarrow_reads_it() -> None:
    table = pa.table({"name": ["cat", None], "value": [1.5, None], "of": [[1], []]})
    content = table_files.to_parquet(table)
    assert table_files.from_parquet(content) == pyarrow.parquet.read_table(pa.BufferReader(content))
    with pytest.raises(pa.ArrowException):
        table_files.from_parquet(content[:-5])
