"""Numbers as people write them: converted if they have one reading, refused if they have two."""

import pytest

from memtail_core.errors import DatasetError
from tests.data.sources.table.tables import LABELS, column, quoted, rows


def note(dataset):
    return next(line for line in dataset.account.lines if line.startswith("x: a number"))


@pytest.mark.parametrize(
    ("words", "numbers", "how"),
    [
        (["€5", "€1.5"], [5, 1.5], "in €"),
        (["12%", "3.5 %"], [12, 3.5], "in %"),
        (["-$5", "$-6"], [-5, -6], "in $"),
        (["1,234.50", "900"], [1234.5, 900], "with commas between thousands"),
        (["1,234,567", "900"], [1234567, 900], "with commas between thousands"),
        (["1.234,50", "900"], [1234.5, 900], "with a decimal comma"),
        (["€1,234.50", "€ 9"], [1234.5, 9], "in €, with commas between thousands"),
        (["007", "010"], [7, 10], "with leading zeros, read as numbers"),
    ],
)
def test_what_can_only_be_one_number_is_converted_and_said(csv, words, numbers, how):
    dataset = csv(*quoted(words * 4))
    assert column(dataset) == numbers * 4
    assert note(dataset) == f"x: a number, {how}"


def test_codes_with_leading_zeros_are_numbers_with_a_warning(csv):
    dataset = csv(*rows(["01234", "99999"] * 4))
    assert "'x' has numbers with leading zeros, as codes have" in dataset.account.warnings[0]
    for kind, features in (("words", ("x=01234", "x=99999")), ("number", ("x",))):
        dataset = csv(*rows(["01234", "99999"] * 4), types={"x": kind})
        assert dataset.features == features
        assert not dataset.account.warnings


@pytest.mark.parametrize("words", [["+1", "-1"], [" 1 ", "\t-1"], ["1 000", "\u22125"]])
def test_signs_and_spaces_do_not_make_words_of_numbers(csv, words):
    assert csv(*quoted(words * 4)).features == ("x",)


@pytest.mark.parametrize("words", [["1,200", "900"], ["0,5", "1,5"], ["1,200", "3,400"]])
def test_a_comma_that_may_be_either_is_refused_with_the_option(csv, words):
    with pytest.raises(DatasetError, match=r"'x' holds numbers as '.*' in line 2 .*set decimal = "):
        csv(*quoted(words * 4))


@pytest.mark.parametrize(
    ("decimal", "words", "numbers"),
    [
        (".", ["1,200", "900.5"], [1200, 900.5]),
        (",", ["1,200", "900"], [1.2, 900]),
        (",", ["1.200", "0,5"], [1200, 0.5]),
        (",", ["1 200,5", "-7"], [1200.5, -7]),
        (",", ["1,5e3", "2"], [1500, 2]),
    ],
)
def test_the_decimal_sign_of_the_study_decides(csv, decimal, words, numbers):
    expected = pytest.approx(numbers * 4, rel=1e-6)
    assert column(csv(*quoted(words * 4), decimal=decimal)) == expected


def test_a_point_where_the_study_says_comma_is_refused(csv):
    with pytest.raises(DatasetError, match=r"'0.55' in line 3.*no number with decimal = \",\""):
        csv(*quoted(["0,5", "0.55"] * 4), decimal=",")


@pytest.mark.parametrize("words", [["5%", "5"], ["$5", "€5"]])
def test_two_units_in_one_column_are_refused(csv, words):
    with pytest.raises(DatasetError, match=r"'x' holds numbers as .*write all of them in one way"):
        csv(*quoted(words * 4))


@pytest.mark.parametrize(
    "words", [["1.2.3", "1.2.4"], ["12 months", "2"], ["5kg", "6kg"], ["555-1", "555-2"]]
)
def test_what_merely_holds_digits_is_a_word(csv, words):
    assert csv(*quoted(words * 4)).features == tuple(f"x={word}" for word in sorted(words))


def test_codes_with_numbers_among_them_are_words(csv):
    dataset = csv(*rows(["0", "1", "2", "3+"] * 5))
    assert dataset.features == ("x=0", "x=1", "x=2", "x=3+")
    assert "x: 4 words, 0, 1, 2, 3+" in dataset.account.lines


def test_codes_are_recognised_over_both_tables(csv):
    dataset = csv(*rows(["10", "20", "B30"] * 5), test=rows(["10", "20"] * 3))
    assert dataset.features == ("x=10", "x=20", "x=B30")


def test_a_rare_word_among_numbers_is_refused_with_both_ways_out(csv):
    values = [*range(30), "n/d", "n/d"]
    with pytest.raises(DatasetError) as error:
        csv(*rows(values))
    assert str(error.value) == (
        "the column 'x' holds 'n/d' in line 32 of 'a.csv' (and 1 more row), and mostly numbers "
        'elsewhere: mend it, or set na_values = ["n/d"] if it means a missing value, or '
        'types = { "x" = "words" }'
    )
    dataset = csv(*rows(values), na_values=["n/d"], missing="drop")
    assert len(dataset.y_train) + len(dataset.y_test) == 30
    assert len(csv(*rows(values), types={"x": "words"}, ignore=[]).features) == 31


def test_numbers_that_a_parquet_file_stores_as_text_stay_words_with_a_warning(parquet):
    words = {"x": ["10", "20"] * 4, "y": LABELS}
    dataset = parquet(**words)
    assert dataset.features == ("x=10", "x=20")
    assert 'types = { "x" = "number" } reads numbers' in dataset.account.warnings[0]
    assert parquet(**words, settings={"types": {"x": "number"}}).features == ("x",)


def test_numbers_that_a_parquet_file_stores_as_text_are_numbers_where_nearly_all_differ(parquet):
    dataset = parquet(x=[str(i * 1.5) for i in range(20)], y=[0, 1] * 10)
    assert column(dataset) == [i * 1.5 for i in range(20)]
    assert note(dataset) == "x: a number, stored as text"


def test_truths_are_0_and_1(csv):
    assert column(csv(*rows(["true", "False", "TRUE", "false"]))) == [1, 0, 1, 0]
