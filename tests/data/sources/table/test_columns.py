"""What a column of a table is: numbers, words, dates, or no feature; each is accounted for."""

import json
from datetime import date, datetime, time, timedelta

import numpy as np
import pyarrow
import pytest

from memtail_core.errors import DatasetError, StudyError
from tests.data.sources.table.tables import LABELS, column, quoted, rows


def pandas(*indices):
    """What pandas writes into a Parquet file about its index."""
    return {"pandas": json.dumps({"index_columns": list(indices), "columns": []})}


def said(dataset, start):
    """The line of the account that begins so."""
    return next(line for line in dataset.account.lines if line.startswith(start))


@pytest.mark.parametrize("name", ["__index_level_0__", "sample"])
def test_what_pandas_calls_an_index_is_no_feature(parquet, name):
    words = [f"id{i}" for i in range(8)]
    dataset = parquet(**{"x": range(8), "y": LABELS, name: words}, metadata=pandas(name))
    assert dataset.features == ("x",)
    assert said(dataset, "left out") == f"left out: {name}: an index of pandas"


def test_a_range_index_and_foreign_metadata_leave_nothing_out(parquet):
    for text in (pandas({"kind": "range"}), {"pandas": "[[]"}, {"pandas": "[1]"}):
        assert parquet(x=range(8), y=LABELS, metadata=text).features == ("x",)


def test_an_index_of_pandas_may_be_the_label_or_be_said_to_be_a_feature(parquet):
    assert parquet(x=range(8), y=LABELS, metadata=pandas("y")).features == ("x",)
    types = {"types": {"age": "number"}}
    dataset = parquet(x=LABELS, y=LABELS, age=range(8), metadata=pandas("age"), settings=types)
    assert dataset.features == ("x", "age")


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__"])
def test_a_column_without_a_name_is_an_index_that_pandas_wrote(csv, name):
    lines = [f"{name},x,y", *(f"{i},{i % 3},{y}" for i, y in enumerate(LABELS))]
    dataset = csv(*lines)
    assert dataset.features == ("x",)
    assert "no name" in said(dataset, "left out")
    assert dataset.sha256 == csv(*(line.split(",", 1)[1] for line in lines)).sha256


def test_words_that_are_different_in_nearly_every_row_are_an_id_and_no_feature(csv):
    lines = ["id,x,y", *(f"C-{i},{i % 5},{i % 2}" for i in range(40))]
    dataset = csv(*lines)
    assert dataset.features == ("x",)
    assert said(dataset, "left out") == (
        "left out: id: 40 different words in 40 rows, an id or free text"
    )


def test_many_words_that_recur_are_refused_and_not_left_out(csv):
    words = [f"w{i % 150:03}" for i in range(300)]
    with pytest.raises(DatasetError, match=r"150 different words.*ignore = \[\"x\"\]"):
        csv(*rows(words))


def test_a_column_that_holds_nothing_is_left_out(parquet):
    dataset = parquet(x=range(8), a=pyarrow.nulls(8), b=[None, float("nan")] * 4, y=LABELS)
    assert dataset.features == ("x",)
    assert said(dataset, "left out") == "left out: a, b: it holds nothing"


def test_ignored_columns_are_left_out_and_one_that_is_not_there_is_a_mistake(csv):
    lines = ["x,secret,y", *(f"{i},{i},{y}" for i, y in enumerate(LABELS))]
    dataset = csv(*lines, ignore=["secret"])
    assert dataset.features == ("x",)
    assert said(dataset, "left out") == "left out: secret: ignored, as the study says"
    with pytest.raises(StudyError, match=r"ignore.*'secert' \(did you mean 'secret'\?\)"):
        csv(*lines, ignore=["secert"])


def test_numbers_that_number_the_rows_stay_with_a_warning(csv):
    lines = ["k,PassengerId,age,y"]
    lines += [f"{i},{i * 7919 % 1000},{20 + i % 9},{i % 2}" for i in range(20)]
    dataset = csv(*lines)
    assert dataset.features == ("k", "PassengerId", "age")
    numbered, unique = dataset.account.warnings
    assert "'k' numbers the rows" in numbered
    assert 'ignore = ["k"]' in numbered
    assert "'PassengerId' is different in every row, as an id is" in unique


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([date(2024, 1, 1), date(1969, 12, 31)], [19723, -1]),
        ([datetime(2024, 1, 1, 12), datetime(1970, 1, 1, 6)], [19723.5, 0.25]),
        ([time(1), time(0, 0, 30)], [3600, 30]),
        ([timedelta(days=2), timedelta(seconds=-1)], [172800, -1]),
    ],
)
def test_dates_are_days_and_times_are_seconds(parquet, values, numbers):
    dataset = parquet(x=values * 4, y=LABELS)
    assert column(dataset) == numbers * 4
    assert said(dataset, "x: a ").split(",")[0] in ("x: a date", "x: a time")


@pytest.mark.parametrize(
    ("word", "days"),
    [
        ("2024-01-31", 19753),
        ("2024-01-31 06:00", 19753.25),
        ("2024-01-31T06:00:00", 19753.25),
        ("2024-01-31T08:00:00+02:00", 19753.25),
        ("2024/1/31", 19753),
        ("31.01.2024", 19753),
        ("31/01/2024", 19753),
        ("1/31/2024 06:00:00", 19753.25),
    ],
)
def test_words_that_are_dates_become_numbers(csv, word, days):
    dataset = csv(*rows([word] * 8))
    assert column(dataset) == [days] * 8
    assert dataset.features == ("x",)
    assert "as days since 1970-01-01" in said(dataset, "x: a date")


def test_the_day_and_the_month_are_told_apart_over_the_whole_column(csv):
    assert column(csv(*rows(["02/01/2024", "31/01/2024"] * 4)))[:2] == [19724, 19753]
    with pytest.raises(DatasetError, match=r"'x' has dates as '02/01/2024', in which day and mon"):
        csv(*rows(["02/01/2024", "03/04/2024"] * 4))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("start", "step"),
    [
        (1_700_000_000, 1),  # the seconds of a minute
        (1_700_000_000_000, 1000),  # the same in milliseconds
        (202401150000, 1),  # a time of day, written as a number
        (10**17, 1),  # an id
        (2**63, 3),  # beyond 64 bits with a sign
    ],
)
def test_numbers_far_from_0_stay_different(csv, parquet, kind, start, step):
    values = [start + step * i for i in range(60)]
    if kind == "csv":
        dataset = csv(*rows(values))
    else:
        dataset = parquet(x=pyarrow.array(values, pyarrow.uint64()), y=[0, 1] * 30)
    middle = values[0] + (values[-1] - values[0]) // 2
    assert dataset.features == (f"x - {middle}",)
    assert column(dataset) == [value - middle for value in values]
    assert said(dataset, "x - ")


def test_integers_beyond_64_bits_stay_different_too(csv):
    dataset = csv(*rows([10**30 + i for i in range(60)]))
    assert column(dataset) == [float(i - 29) for i in range(60)]


def test_decimals_far_from_0_stay_different(csv):
    dataset = csv(*rows([1e6 + i / 1000 for i in range(60)]))
    assert np.diff(column(dataset)) == pytest.approx(0.001, rel=1e-4)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=200),
        np.random.default_rng(0).normal(300, 20, size=200),
        np.arange(200) + 16_000_000,
        np.random.default_rng(0).integers(0, 10**9, 200),
    ],
)
def test_other_numbers_stay_as_they_are(csv, values):
    dataset = csv(*rows(values.tolist()))
    assert dataset.features == ("x",)
    np.testing.assert_array_equal(column(dataset), values.astype(np.float32))


def test_numbers_that_stay_equal_in_float32_are_warned_of(csv):
    dataset = csv(*rows([*range(60), *(10**12 + i for i in range(60))]))
    assert "59 of the 120 different numbers of the column 'x'" in dataset.account.warnings[0]


def test_every_column_is_accounted_for(csv):
    lines = ["n,m,w,when,price,k,,gone,note,y"]
    lines += [
        f"{i % 4},0.{i},{'ab'[i % 2]},2024-01-{i + 1:02},€{i % 7},5,{i},,text {i},{i % 2}"
        for i in range(20)
    ]
    assert csv(*lines).account.lines == (
        "'a.csv': 20 rows, 10 columns",
        "label 'y': 2 classes, 0, 1",
        "numbers: n, m",
        "w: 2 words, a, b",
        "when: a date, as days since 1970-01-01",
        "price: a number, in €",
        "k: a number, always 5",
        "left out: Unnamed: 6: no name, as an index that pandas writes",
        "left out: gone: it holds nothing",
        "left out: note: 20 different words in 20 rows, an id or free text",
    )


def test_a_wide_table_is_accounted_for_in_few_lines(csv):
    names = [f"p{i}" for i in range(200)]
    lines = [",".join([*names, "y"]), *(",".join(["1"] * 200 + [str(y)]) for y in LABELS)]
    lines[1] = lines[1].replace("1", "0")
    assert said(csv(*lines), "numbers").endswith("p18, p19 and 180 more")


def test_a_column_of_the_test_table_alone_is_accounted_for(csv):
    dataset = csv(*rows(range(8)), test=["x,more,y", "1,2,0"])
    assert said(dataset, "left out") == "left out: more: only 'b.csv' has it"


def test_two_forms_of_a_word_in_unicode_are_one(csv):
    words = ["Caf\u00e9", "Cafe\u0301", "The\u0301", "Th\u00e9"] * 3
    assert csv(*rows(words)).features == ("x=Caf\u00e9", "x=Th\u00e9")
    names = csv(*rows(range(12), ["e\u0301a", "\u00e9a", "b"] * 4)).classes
    assert names == ("b", "\u00e9a")
    lines = ["e\u0301,y", *(f"{i},{y}" for i, y in enumerate(LABELS))]
    assert csv(*lines, types={"\u00e9": "number"}).features == ("\u00e9",)


def test_words_that_differ_in_case_or_spaces_only_are_warned_of(csv):
    dataset = csv(*rows(["yes", "Yes", "no"] * 4))
    assert dataset.features == ("x=Yes", "x=no", "x=yes")
    assert "the words 'Yes' and 'yes' of the column 'x'" in dataset.account.warnings[0]


def test_categories_of_one_table_match_words_of_the_other(parquet):
    words = pyarrow.array(["red", "blue"] * 4, pyarrow.large_string())
    test = {"x": words.cast(pyarrow.string()), "y": LABELS}
    dataset = parquet(x=words.dictionary_encode(), y=LABELS, test=test)
    assert dataset.features == ("x=blue", "x=red")


def test_numbers_in_one_parquet_file_and_text_in_the_other_are_refused_by_type(parquet):
    with pytest.raises(DatasetError, match=r"'x' is int64 in 'a.parquet' and string in 'b.parq"):
        parquet(x=range(8), y=LABELS, test={"x": ["a"] * 8, "y": LABELS})


def test_bytes_that_are_text_are_words(parquet):
    assert parquet(x=[b"a", b"b"] * 4, y=LABELS).features == ("x=a", "x=b")
    with pytest.raises(DatasetError, match=r"column 'x' of 'a.parquet' is binary"):
        parquet(x=[b"\xff", b"b"] * 4, y=LABELS)


@pytest.mark.parametrize(
    ("kind", "features"), [("words", ("x=1", "x=2")), ("number", ("x",)), ("date", None)]
)
def test_a_study_may_say_what_a_column_is(csv, kind, features):
    if features:
        assert csv(*rows([1, 2] * 4), types={"x": kind}).features == features
    else:
        with pytest.raises(DatasetError, match="column 'x' holds '1', which is no date"):
            csv(*rows([1, 2] * 4), types={"x": kind})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"missing": "ignore"}, r"\[dataset\] missing = 'ignore': .*'error', 'impute', 'category'"),
        ({"decimal": ";"}, r"\[dataset\] decimal = ';'"),
        ({"types": {"x": "text"}}, r"\[dataset\] types = 'text': .*'number', 'words' or 'date'"),
        ({"types": {"z": "words"}}, r"\[dataset\] types: there is no column 'z'"),
        ({"ignore": "x"}, r"\[dataset\] ignore = 'x': should be a"),
        ({"ignore": [3]}, r"\[dataset\] ignore = 3: should be a text"),
        ({"na_values": ["?", 1]}, r"\[dataset\] na_values = 1"),
        ({"delimiter": ";;"}, r"\[dataset\] delimiter = ';;'"),
        ({"encoding": "latin-99"}, r"\[dataset\] encoding = 'latin-99' is unknown"),
        ({"encoding": "zlib"}, r"\[dataset\] encoding = 'zlib' is unknown"),
    ],
)
def test_a_wrong_option_is_refused_by_name(csv, option, message):
    with pytest.raises(StudyError, match=message):
        csv(*rows(range(8)), **option)


def test_a_parquet_file_has_no_delimiter(parquet):
    with pytest.raises(StudyError, match=r"delimiter is not an option of 'parquet:'"):
        parquet(x=range(8), y=LABELS, settings={"delimiter": ";"})


def test_quoted_fields_are_read_as_what_they_hold(csv):
    assert column(csv(*quoted([1, 2.5, 3, 4]))) == [1, 2.5, 3, 4]
