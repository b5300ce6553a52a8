"""Missing values: refused with all places, filled, marked or dropped, and counted."""

import numpy as np
import pytest

from memtail_core.errors import DatasetError
from tests.data.sources.table.tables import LABELS, column, labels, rows

GAPS = ["n,w,y", "1,a,0", ",a,1", "3,,0", "9,b,1", "NA,a,0", "5,b,1", "2,NaN,0", "2,b,1"]


def test_all_missing_values_of_both_files_are_refused_in_one_message(csv):
    with pytest.raises(DatasetError) as error:
        csv(*GAPS, test=["n,w,y", "1,a,0", ",b,"])
    assert str(error.value).startswith("4 faults: (1) 'b.csv' has no y in line 3: fill or drop it")
    for part in (
        "(2) 'a.csv' has no n in line 3 (and 1 more row): fill or drop it, or set missing = ",
        "(3) 'b.csv' has no n in line 3",
        "(4) 'a.csv' has no w in line 4 (and 1 more row)",
    ):
        assert part in str(error.value)


def test_many_faults_are_listed_up_to_a_bound(csv):
    names = ",".join(f"x{i}" for i in range(30))
    with pytest.raises(DatasetError, match=r"^30 faults: .*\(10\) .*; and 20 more$"):
        csv(f"{names},y", *([",".join(["1"] * 30) + f",{y}" for y in LABELS]), "," * 30 + "1")


def test_imputing_takes_the_median_and_the_most_frequent_word(csv):
    dataset = csv(*GAPS, missing="impute")
    assert dataset.features == ("n", "w=a", "w=b")
    assert column(dataset) == [1, 2.5, 3, 9, 2.5, 5, 2, 2]
    assert column(dataset, 1) == [1, 1, 1, 0, 1, 0, 1, 0]
    assert dataset.account.lines[-2:] == (
        "n: 2 missing values replaced by the median, 2.5",
        "w: 2 missing values replaced by 'a'",
    )


def test_one_missing_value_is_one(csv):
    line = "x: 1 missing value replaced by the median, 2"
    assert csv(*rows([1, 2, "", 3]), missing="impute").account.lines[-1] == line


def test_the_training_table_alone_says_what_is_imputed(csv):
    dataset = csv(*rows([1, 2, 3, 4]), test=["x,y", "100,0", ",1"], missing="impute")
    assert dataset.test.whole().tolist() == [[100], [2.5]]


def test_missing_may_be_a_category_of_words_and_a_mark_on_numbers(csv):
    dataset = csv(*GAPS, missing="category")
    assert dataset.features == ("n", "n is missing", "w=a", "w=b", "w is missing")
    assert column(dataset) == [1, 2.5, 3, 9, 2.5, 5, 2, 2]
    assert column(dataset, 1) == [0, 1, 0, 0, 1, 0, 0, 0]
    assert column(dataset, 2) == [1, 1, 0, 0, 1, 0, 0, 0]
    assert column(dataset, 4) == [0, 0, 1, 0, 0, 0, 1, 0]


def test_rows_with_gaps_are_dropped_and_the_others_keep_their_names(csv):
    dataset = csv(*GAPS, missing="drop")
    names = sorted([*dataset.train_names, *dataset.test_names], key=int)
    assert names == ["0", "3", "5", "7"]
    assert column(dataset) == [1, 9, 5, 2]
    assert dataset.account.lines[-1] == "4 of 8 rows of 'a.csv' left out: no n (2), no w (2)"


def test_dropped_rows_of_a_test_table_are_counted_there(csv):
    dataset = csv(*rows(range(8)), test=["x,y", "1,0", ",1", "3,"], missing="drop")
    assert dataset.test_names == ("0",)
    assert dataset.account.lines[-1] == "2 of 3 rows of 'b.csv' left out: no y (1), no x (1)"
    with pytest.raises(DatasetError, match=r"no row of 'b\.csv' is without a missing value"):
        csv(*rows(range(8)), test=["x,y", ",1"], missing="drop")


@pytest.mark.parametrize("missing", ["impute", "category", "drop"])
def test_a_row_without_a_label_is_left_out_and_counted(csv, missing):
    lines = rows(range(9), [*"abababab", ""])
    dataset = csv(*lines, missing=missing)
    assert len(dataset.y_train) + len(dataset.y_test) == 8
    assert "1 of 9 rows of 'a.csv' left out: no y (1)" in dataset.account.lines


def test_words_of_the_study_mean_a_missing_value_too(csv):
    lines = rows([1, " ?", 3, -999, 5, 6, 7, 8])
    dataset = csv(*lines, na_values=["?", "-999"], missing="impute")
    assert column(dataset) == [1, 5.5, 3, 5.5, 5, 6, 7, 8]


def test_na_among_words_is_a_word(csv):
    assert csv(*rows(["NA", "EU", "None"] * 3)).features == ("x=EU", "x=NA", "x=None")


def test_a_table_without_gaps_is_the_same_whatever_missing_says(csv):
    lines = ["n,w,y", *(f"{i},{'ab'[i % 2]},{y}" for i, y in enumerate(LABELS))]
    kinds = ("error", "impute", "category", "drop")
    assert len({csv(*lines, missing=kind).sha256 for kind in kinds}) == 1


def test_large_integers_keep_their_digits_beside_a_missing_value(csv):
    """A column of Int64 with a gap loses the last digits of its other values.

    Source: https://github.com/pandas-dev/pandas/issues/32134
    """
    first = 1582218195625938000
    dataset = csv(*rows([first, "", *(first + i for i in range(1, 60))]), missing="impute")
    values = column(dataset)
    assert np.diff([values[0], *values[2:]]).tolist() == [1.0] * 59


def test_missing_values_of_a_parquet_file_are_counted_there(parquet):
    columns = {"x": [1.0, None, float("nan"), 4, 5, 6, 7, 8], "y": LABELS}
    with pytest.raises(DatasetError, match=r"no x in row 1 \(counting from 0\) \(and 1 more row\)"):
        parquet(**columns)
    assert column(parquet(**columns, settings={"missing": "impute"}))[1:3] == [5.5, 5.5]


def test_labels_stay_with_their_rows_when_some_are_dropped(csv):
    dataset = csv(*rows([1, "", 3, 4, 5, 6], list("abcabc")), missing="drop", test_fraction=0.2)
    assert labels(dataset) == list("acabc")
