"""Fixtures that write a small table and read it."""

import pyarrow
import pyarrow.parquet
import pytest

from memtail_core.data import load
from memtail_core.study import DatasetTable


@pytest.fixture
def csv(tmp_path, monkeypatch):
    """Write ``lines`` as a.csv, and ``test`` as b.csv; read them."""
    monkeypatch.chdir(tmp_path)

    def read(*lines, test=(), label="y", **settings):
        (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
        if test:
            (tmp_path / "b.csv").write_text("\n".join(test) + "\n")
            settings["test"] = "b.csv"
        return load(DatasetTable(source="csv:a.csv", label=label, **settings))

    return read


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Write bytes as a.csv; read them."""
    monkeypatch.chdir(tmp_path)

    def read(content, label="y", **settings):
        (tmp_path / "a.csv").write_bytes(content)
        return load(DatasetTable(source="csv:a.csv", label=label, **settings))

    return read


@pytest.fixture
def parquet(tmp_path, monkeypatch):
    """Write columns as a.parquet, and ``test`` as b.parquet; read them."""
    monkeypatch.chdir(tmp_path)

    def read(*, test=None, metadata=None, settings=None, **columns):
        table = pyarrow.table(columns).replace_schema_metadata(metadata)
        pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
        settings = settings or {}
        if test is not None:
            pyarrow.parquet.write_table(pyarrow.table(test), tmp_path / "b.parquet")
            settings["test"] = "b.parquet"
        return load(DatasetTable(source="parquet:a.parquet", label="y", **settings))

    return read
