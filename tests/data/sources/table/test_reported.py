"""Situations from public reports of people who read tables with other programs."""

import pyarrow
import pyarrow.parquet
import pytest

from memtail_core.data import load
from memtail_core.errors import DatasetError
from memtail_core.study import DatasetTable
from tests.data.sources.table.tables import LABELS, column, rows


def test_excels_own_first_line_names_the_separator(raw):
    """The line sep=| is taken for the header.

    Source: https://github.com/pandas-dev/pandas/issues/47303
    """
    lines = ["sep=|", "x|y", *(f"{i}|{y}" for i, y in enumerate(LABELS))]
    assert column(raw("\r\n".join(lines).encode())) == list(range(8))


def test_a_quote_that_is_never_closed_is_refused_and_swallows_no_rows(raw):
    """A quoted field without its end takes all rows below it, in silence.

    Sources: https://github.com/apple/turicreate/issues/1692, https://github.com/cldf/csvw/issues/52
    """
    lines = ["x,y", *(f"{i},{i % 2}" for i in range(20)), '20,"0', *(f"{i},1" for i in range(9))]
    with pytest.raises(DatasetError, match=r"the quote that opens in line 22 of 'a\.csv' is never"):
        raw("\n".join(lines).encode())


def test_day_and_month_do_not_change_places_from_row_to_row(csv):
    """Rows of one column are read as day/month and as month/day, as each allows.

    Sources: https://github.com/pandas-dev/pandas/issues/14301,
    https://github.com/pandas-dev/pandas/issues/26304
    """
    days = column(csv(*rows(["10/9/2016", "30/9/2016"] * 4)))[:2]
    assert days == [17054, 17074]
    days = column(csv(*rows(["12.01.2017 17:18", "15.04.2017 02:40"] * 4)))[:2]
    assert days == pytest.approx([17178 + 1038 / 1440, 17271 + 160 / 1440], abs=0.01)


def test_folders_around_a_parquet_file_are_no_columns(tmp_path):
    """A single file below part=a/ gets a column 'part' that it does not hold.

    Source: https://github.com/duckdb/duckdb/issues/12325
    """
    (tmp_path / "split=train").mkdir()
    file = tmp_path / "split=train" / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"x": range(8), "y": LABELS}), file)
    assert load(DatasetTable(source=f"parquet:{file}", label="y")).features == ("x",)


def test_the_first_block_does_not_decide_what_a_column_is(raw):
    """A word after a million rows of numbers fails in the terms of the reader.

    Sources: https://github.com/apache/arrow/issues/46223,
    https://github.com/airbytehq/airbyte/issues/6480
    """
    filler = "0" * 500
    lines = [f"{i % 7},{filler},{i % 2}" for i in range(3000)]
    content = "\n".join(["x,zeros,y", *lines, f"FOH00458A,{filler},1"])
    with pytest.raises(DatasetError, match=r"'x' holds 'FOH00458A' in line 3002 of 'a\.csv', and "):
        raw(content.encode())


def test_rows_that_a_spreadsheet_left_empty_are_no_rows(csv):
    """Numbers exports the empty cells on the screen as rows of commas.

    Source: https://github.com/alphagov/notifications-utils/pull/14
    """
    dataset = csv(*rows(range(8)), ",", ",", ",")
    assert len(dataset.y_train) + len(dataset.y_test) == 8
    assert dataset.account.lines[0].endswith("rows without any value left out: 3")


def test_rows_that_end_in_a_separator_do_not_shift_the_columns(raw):
    """A header without the separator at its end makes the first column an index.

    Source: https://github.com/pandas-dev/pandas/issues/41304
    """
    lines = ["x;z;y", *(f"{i};9.8;{y};" for i, y in enumerate(LABELS))]
    with pytest.raises(DatasetError, match=r"line 2 .* 4 fields, the header 3 \(and 7 more rows\)"):
        raw("\n".join(lines).encode())


def test_a_row_longer_than_a_block_is_read(raw):
    """A row of more than a megabyte "straddles two block boundaries".

    Sources: https://github.com/apache/arrow/issues/34578,
    https://github.com/huggingface/datasets/issues/2181
    """
    long = '"' + "ab\n" * 400_000 + '"'
    lines = ["x,note,y", *(f"{i},{long if i == 5 else 'short'},{y}" for i, y in enumerate(LABELS))]
    assert column(raw("\n".join(lines).encode())) == list(range(8))
