"""The column of labels: what is a class, what is missing, what is no class."""

from datetime import datetime

import numpy as np
import pyarrow
import pytest

from memtail_core.errors import DatasetError
from tests.data.sources.table.tables import LABELS, labels, rows


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        (["001", "002"], ("001", "002")),
        (["-1", "1"], ("-1", "1")),
        (["-1", "+1"], ("-1", "1")),
        (["10", "9"], ("9", "10")),
        (["1.0", "0.0"], ("0", "1")),
        (["true", "false"], ("False", "True")),
        (["NA", "EU"], ("EU", "NA")),
        (["None", "mild"], ("None", "mild")),
        (["1", "2b"], ("1", "2b")),
        (["2024-01-01", "2024-02-01"], ("2024-01-01", "2024-02-01")),
        (["4611686018427387904", "4611686018427387905"],) * 2,
        (["18446744073709551616", "18446744073709551617"],) * 2,
    ],
)
def test_classes_of_a_csv_file(csv, given, classes):
    dataset = csv(*rows(range(8), given * 4))
    assert dataset.classes == tuple(classes)
    meant = {"1.0": "1", "0.0": "0", "+1": "1", "true": "True", "false": "False"}
    assert labels(dataset) == [meant.get(word, word) for word in given] * 4


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        (pyarrow.array(LABELS, pyarrow.int8()), ("0", "1")),
        (np.array(LABELS, dtype="int8") * 2 - 1, ("-1", "1")),
        ([float(v) for v in LABELS], ("0", "1")),
        ([b"hi" if v else b"lo" for v in LABELS], ("hi", "lo")),
        ([[v, 1 - v] for v in LABELS], ("[0, 1]", "[1, 0]")),
        (
            pyarrow.array([v + 2**63 for v in LABELS], pyarrow.uint64()),
            ("9223372036854775808", "9223372036854775809"),
        ),
        (
            pyarrow.array([datetime(2024, 1, 1 + v) for v in LABELS], pyarrow.timestamp("ns")),
            ("2024-01-01 00:00:00", "2024-01-02 00:00:00"),
        ),
    ],
)
def test_classes_of_a_parquet_file(parquet, given, classes):
    assert parquet(x=range(8), y=given).classes == classes


@pytest.mark.parametrize("word", ["NaN", "nan", "null", "NULL", "", "  ", "<NA>"])
@pytest.mark.parametrize("classes", [["cat", "dog"], ["0", "1"]])
def test_what_is_no_label_is_missing_and_no_class(csv, word, classes):
    lines = rows(range(9), [*classes * 4, word])
    with pytest.raises(DatasetError, match=r"'a\.csv' has no y in line 10: .*missing = \"drop\""):
        csv(*lines)
    assert csv(*lines, missing="drop").classes == tuple(classes)


def test_the_type_of_labels_is_decided_over_both_files(csv):
    train = rows(range(9), ["1", "2", "3b"] * 3)
    dataset = csv(*train, test=["x,y", "1,2", "2,1"])
    assert dataset.classes == ("1", "2", "3b")
    assert dataset.y_test.tolist() == [1, 0]
    dataset = csv(*rows(range(9), ["false", "true", "unknown"] * 3), test=["x,y", "1,true"])
    assert dataset.y_test.tolist() == [1]
    dataset = csv(*rows(range(8), ["false", "true"] * 4), test=["x,y", "1,True", "2,False"])
    assert dataset.y_test.tolist() == [1, 0]


def test_labels_that_no_training_row_has_are_named_with_their_lines(csv):
    train = rows(range(8), ["<=50K", ">50K"] * 4)
    with pytest.raises(DatasetError) as error:
        csv(*train, test=["x,y", "1,<=50K.", "2,>50K.", "3,<=50K."])
    assert str(error.value) == (
        "2 faults: (1) the label 'y' is '<=50K.' in line 2 of 'b.csv' (and 1 more row), and in no "
        "row of 'a.csv' (did you mean '<=50K'?); (2) the label 'y' is '>50K.' in line 3 of "
        "'b.csv', and in no row of 'a.csv' (did you mean '>50K'?)"
    )


def test_classes_that_differ_in_case_or_spaces_only_are_warned_of(csv):
    dataset = csv(*rows([5, 6] * 8, ["cat", "Cat", "dog", "dog "] * 4))
    assert dataset.classes == ("Cat", "cat", "dog", "dog ")
    assert dataset.account.warnings == (
        "the classes 'Cat' and 'cat' of 'y' differ in case or spaces only",
        "the classes 'dog' and 'dog ' of 'y' differ in case or spaces only",
    )


def test_decimals_are_no_classes_and_their_place_is_named(csv):
    with pytest.raises(DatasetError, match=r"'y' of 'a\.csv' holds decimals, .*: 0.5 in line 3"):
        csv(*rows(range(8), [0, 0.5] * 4))


def test_a_label_that_is_different_in_every_row_is_no_class(csv):
    with pytest.raises(DatasetError, match=r"label 'y' of 'a\.csv' is different in each of 20 ro"):
        csv(*rows([1, 2] * 10, range(20)))


def test_bytes_that_are_no_text_are_no_labels(parquet):
    with pytest.raises(DatasetError, match="label 'y' holds bytes that are not UTF-8"):
        parquet(x=range(8), y=[b"\xff", b"a"] * 4)
