"""CSV files as programs write them: read, or refused in one line with the option that mends it."""

import codecs
import gzip

import pytest

from memtail_core.data import load
from memtail_core.errors import DatasetError
from memtail_core.study import DatasetTable
from tests.data.sources.table.tables import LABELS, column

BODY = [
    "größe,x,stadt",
    *(f"{label},{i}.5,{'Köln' if i % 2 else 'Bonn'}" for i, label in enumerate(LABELS)),
]
TEXT = "\n".join(BODY) + "\n"


@pytest.fixture
def plain(raw):
    return raw(TEXT.encode(), label="größe").sha256


@pytest.mark.parametrize(
    ("content", "options", "note"),
    [
        (codecs.BOM_UTF8 + TEXT.encode(), {}, ""),
        (TEXT.encode("utf-16"), {}, "encoding utf-16"),
        (TEXT.encode("utf-32"), {}, "encoding utf-32"),
        (TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}, "encoding utf-16-le"),
        (TEXT.encode("latin-1"), {"encoding": "latin-1"}, "encoding latin-1"),
        (TEXT.replace("\n", "\r\n").encode(), {}, ""),
        (TEXT.replace("\n", "\r").encode(), {}, ""),
        (TEXT.replace("\n", "\n\n").encode(), {}, ""),
        (TEXT.replace(",", ";").encode(), {}, "columns separated by ';'"),
        (TEXT.replace(",", "\t").encode(), {}, "columns separated by tabs"),
        (TEXT.replace(",", "|").encode(), {}, "columns separated by '|'"),
        (TEXT.replace(",", "^").encode(), {"delimiter": "^"}, "columns separated by '^'"),
        (b"# exported 2024-01-01\n# by hand\n" + TEXT.encode(), {}, "lines above the header: 2"),
        (TEXT.encode() + b",,\n , ,\n", {}, "rows without any value left out: 2"),
        (gzip.compress(TEXT.encode(), mtime=0), {}, None),
    ],
)
def test_a_dialect_is_read_as_the_plain_file(raw, plain, content, options, note, tmp_path):
    if note is None:  # a compressed file is known by its name
        (tmp_path / "a.csv.gz").write_bytes(content)
        dataset = load(DatasetTable(source="csv:a.csv.gz", label="größe"))
    else:
        dataset = raw(content, label="größe", **options)
        assert dataset.account.lines[0].endswith(note or "3 columns")
    assert dataset.sha256 == plain


def test_the_delimiter_is_the_one_that_makes_the_label_a_column(raw):
    content = b"a,b;y\n" + b"".join(b"%d,5;%d\n" % (i, i % 2) for i in range(8))
    assert raw(content, decimal=",").features == ("a,b",)


def test_a_header_may_begin_with_a_hash(raw):
    lines = ["#id,y", *(f"{i % 3},{i % 2}" for i in range(8))]
    assert raw("\n".join(lines).encode()).features == ("#id",)


def test_a_separator_that_ends_every_line_is_an_unnamed_column(raw, plain):
    dataset = raw(TEXT.replace("\n", ",\n").encode(), label="größe")
    assert dataset.sha256 == plain
    assert dataset.account.lines[-1].startswith("left out: Unnamed: 3: no name")


def test_line_ends_in_quotes_are_kept_beyond_any_block(raw):
    notes = ["fine", "late\npaid", 'called ""twice"",\nno answer', "moved"]
    lines = [f'{i % 7},"{notes[i % 4]}{" " * 300}",{i % 2}' for i in range(8000)]
    dataset = raw("\n".join(["x,note,y", *lines]).encode())
    assert len(dataset.y_train) + len(dataset.y_test) == 8000
    assert len(dataset.features) == 5
    assert column(dataset)[:8] == [0, 1, 2, 3, 4, 5, 6, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("latin-1"), r"'a\.csv' is not UTF-8 text in line 1: .*encoding = \"cp1252\""),
        (TEXT.encode("utf-16-le"), r"'a\.csv' .*encoding = \"utf-16"),
        (TEXT.encode().replace(b"5", b"\x00", 1), r"'a\.csv' holds a NUL byte in line 2"),
        (b"PK\x03\x04rest", r"not a CSV file but a workbook or a zip archive: export"),
        (b"PAR1rest", r"not a CSV file but a Parquet file: write 'parquet:'"),
        (b"", r"'a\.csv' is empty"),
        (b"\n\n", r"'a\.csv' is empty"),
        ("\n".join(BODY[1:]).encode(), r"no column 'größe'.*its first line must name the columns"),
        ((TEXT + "1,2\n1,2,3,4\n").encode(), r"line 10 .* has 2 fields, the header 3 \(and 1 more"),
        (
            TEXT.replace("Köln\n", "Köln,\n").encode(),
            r"line 3 .* 4 fields, the header 3.*: name the",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_terms_of_the_file(raw, content, message):
    with pytest.raises(DatasetError, match=message):
        raw(content, label="größe")


def test_places_are_lines_as_an_editor_counts(raw):
    content = b'# by hand\n\nx,z,y\n1,"a\nb",0\n\n2,c,1\n,d,0\n'
    with pytest.raises(DatasetError, match=r"'a\.csv' has no x in line 8: "):
        raw(content)


def test_all_faults_of_a_file_come_at_once(raw):
    lines = ["a,b,c,y", "1,x,1,0", ",x,2,1", "3,y,3,0,9", '4,y,"1,5",1', "5,x,5,0", "6,y,6,"]
    with pytest.raises(DatasetError) as error:
        raw("\n".join(lines).encode())
    for fault in (
        "4 faults: (1) line 4 of 'a.csv' has 5 fields, the header 4",
        "'c' holds numbers as '1,5' in line 5 of 'a.csv'",
        "'a.csv' has no y in line 7",
        "'a.csv' has no a in line 3",
    ):
        assert fault in str(error.value)


def test_a_path_of_windows_in_double_quotes_is_recognised():
    with pytest.raises(DatasetError, match="write a path of Windows in single quotes"):
        load(DatasetTable(source="csv:C:\new\table.csv", label="y"))


def test_a_name_may_be_given_without_the_spaces_around_it(raw):
    lines = [" x, y", *(f" {i}, {y}" for i, y in enumerate("abababab"))]
    dataset = raw("\n".join(lines).encode(), label="y", types={"x": "number"})
    assert dataset.features == (" x",)
    assert column(dataset) == list(range(8))
