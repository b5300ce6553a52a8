"""``csv:`` and ``parquet:``: tables of numbers and words."""

from decimal import Decimal

import numpy as np
import pyarrow
import pytest

from memtail_core.data import load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable
from tests.data.sources.table.tables import LABELS, column, rows


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_is_not_there_is_refused_with_its_whole_path(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=f"there is no file '{tmp_path / 'gone'}'"):
        load(DatasetTable(source=f"{kind}:gone", label="y"))


def test_a_folder_in_place_of_a_file_is_called_one(tmp_path):
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(DatasetError, match=r"a.parquet' is a folder: name a file in it"):
        load(DatasetTable(source=f"parquet:{tmp_path / 'a.parquet'}", label="y"))


@pytest.mark.parametrize("content", [b"", b"PAR1 nothing else"])
def test_a_file_that_is_no_parquet_is_refused_by_name_on_one_line(content, tmp_path):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match=r"^cannot read '.*a\.parquet': .+$"):
        load(DatasetTable(source=f"parquet:{tmp_path / 'a.parquet'}", label="y"))


def test_a_csv_file_whose_rows_differ_in_length_is_refused(csv):
    with pytest.raises(DatasetError, match=r"line 3 of 'a\.csv' has 3 fields, the header 2: name"):
        csv("x,y", "1,0", "2,1,9")


def test_a_csv_file_with_a_header_alone_is_refused_as_empty(csv):
    with pytest.raises(DatasetError, match=r"empty|no rows|no examples"):
        csv("x,y")


def test_the_label_must_be_named():
    with pytest.raises(StudyError, match=r"\[dataset\] label is missing: 'csv:' needs it"):
        load(DatasetTable(source="csv:a.csv"))


def test_a_missing_label_column_is_refused_with_a_suggestion(csv):
    with pytest.raises(DatasetError, match=r"no column 'specis' \(did you mean 'species'\?\)"):
        csv("width,species", "1,a", "2,b", label="specis")


def test_a_table_of_labels_alone_is_refused(csv):
    with pytest.raises(DatasetError, match="no column beside the label 'y'"):
        csv("y", *map(str, LABELS))


def test_a_feature_that_the_test_table_lacks_is_named(csv):
    with pytest.raises(DatasetError, match=r"b\.csv' has no column 'x', which '.*a\.csv' has"):
        csv(*rows(range(8)), test=["z,y", "1,0"])


def test_a_label_that_the_test_table_lacks_is_named(csv):
    with pytest.raises(DatasetError, match=r"b\.csv' has no column 'y'"):
        csv(*rows(range(8)), test=["x,z", "1,0"])


def test_a_missing_number_is_refused_with_its_column_and_row(csv):
    with pytest.raises(DatasetError, match=r"a\.csv' has no x in line 7: fill or drop"):
        csv(*rows([1, 2, 3, 4, 5, "", 7, 8]))


def test_a_missing_number_of_the_test_table_is_located_there(csv):
    with pytest.raises(DatasetError, match=r"b\.csv' has no x in line 3"):
        csv(*rows(range(8)), test=["x,y", "1,0", ",1"])


@pytest.mark.parametrize("labels", [LABELS, [str(v) for v in LABELS]], ids=["numbers", "words"])
def test_a_missing_label_is_refused_with_its_row(parquet, labels):
    with pytest.raises(DatasetError, match="has no y in row 3"):
        parquet(x=range(8), y=[*labels[:3], None, *labels[4:]])


def test_a_missing_label_among_words_of_a_csv_file_is_refused_too(csv):
    with pytest.raises(DatasetError, match=r"has no y in line 5 \(and 1 more row\)"):
        csv(*rows(range(8), ["cat", "dog", "cat", "", "dog", "", "cat", "dog"]))


@pytest.mark.parametrize("number", [float, Decimal])
def test_decimals_are_no_labels(parquet, number):
    with pytest.raises(DatasetError, match=r"label 'y' of '.*' holds decimals, not classes"):
        parquet(x=range(8), y=[number(v) / 2 for v in LABELS])


def test_whole_numbers_and_truths_and_categories_are_labels(parquet):
    words = pyarrow.array(["no", "yes"]).take(pyarrow.array(LABELS)).dictionary_encode()
    for labels, classes in (
        (LABELS, ("0", "1")),
        ([v == 1 for v in LABELS], ("False", "True")),
        (words, ("no", "yes")),
    ):
        dataset = parquet(x=range(8), y=labels)
        assert dataset.classes == classes
        at = [int(name) for name in dataset.train_names]
        assert dataset.y_train.tolist() == [LABELS[i] for i in at]


def test_the_columns_of_words_become_one_column_per_value_in_alphabetical_order(csv):
    dataset = csv(*rows(["b", "c", "a", "b", "a", "c", "c", "c"]))
    assert column(dataset, 0) == [0, 0, 1, 0, 1, 0, 0, 0]
    assert column(dataset, 1) == [1, 0, 0, 1, 0, 0, 0, 0]
    assert column(dataset, 2) == [0, 1, 0, 0, 0, 1, 1, 1]
    assert dataset.features == ("x=a", "x=b", "x=c")


def test_a_word_that_only_the_test_table_has_is_a_column_of_both(csv):
    dataset = csv(*rows("bbbbcccc"), test=["x,y", "a,0", "b,1"])
    assert dataset.train.whole()[0].tolist() == [0, 1, 0]
    assert dataset.test.whole().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_an_empty_field_among_words_is_missing_and_no_category(csv):
    with pytest.raises(DatasetError, match=r"a\.csv' has no x in line 4: fill or drop it"):
        csv(*rows(["a", "b", "", "a", "b", "a", "b", "a"]))


def test_100_different_words_are_a_category_but_101_are_not(csv):
    words = [f"w{i:03}" for i in range(101)]
    assert csv(*rows(words[:100] * 2, [0, 1] * 100)).shape == (100,)
    with pytest.raises(DatasetError, match=r"column 'x' .* 101 different words.*drop or encode"):
        csv(*rows(words * 2, [0, 1] * 101))


def test_columns_of_the_test_table_are_matched_by_name_not_by_place(csv):
    lines = ["u,v,y", *(f"{i},{i + 100},{y}" for i, y in enumerate(LABELS))]
    dataset = csv(*lines, test=["y,extra,v,u", "1,9,7,5"])
    assert dataset.test.whole().tolist() == [[5, 7]]
    assert dataset.y_test.tolist() == [1]


def test_whole_numbers_in_one_table_and_decimals_in_the_other_are_alike(csv):
    dataset = csv(*rows(range(8)), test=["x,y", "0.5,0"])
    assert dataset.train.whole()[:, 0].tolist() == list(range(8))
    assert dataset.test.whole().tolist() == [[0.5]]


def test_numbers_in_one_table_and_words_in_the_other_are_refused(csv):
    with pytest.raises(DatasetError, match=r"'x' holds 'red', 'blue' in line 2 of 'b\.csv'"):
        csv(*rows(range(8)), test=["x,y", "red,0", "blue,1"])


def test_words_as_labels_in_one_table_and_numbers_in_the_other_are_refused(csv):
    with pytest.raises(DatasetError, match=r"'y' is 'no' in line 2 of 'b\.csv', and in no row"):
        csv(*rows(range(8)), test=["x,y", "1,no", "2,yes"])


@pytest.mark.parametrize("header", ["x,x,y", "x,y,y"], ids=["feature", "label"])
def test_two_columns_of_one_name_are_refused(csv, header):
    with pytest.raises(DatasetError, match=header[2]):
        csv(header, *(f"{v},{v},{v}" for v in LABELS))


@pytest.mark.parametrize(
    "values",
    [
        [True, False] * 4,
        pyarrow.array(range(8), pyarrow.uint8()),
        pyarrow.array([0.5] * 8, pyarrow.float16()),
        [Decimal(v) / 4 for v in range(8)],
    ],
    ids=["truths", "bytes", "half", "decimals"],
)
def test_any_column_of_numbers_is_a_feature(parquet, values):
    expected = [float(v.as_py() if hasattr(v, "as_py") else v) for v in values]
    assert column(parquet(x=values, y=LABELS)) == expected


def test_a_column_of_images_is_refused_with_the_option_that_reads_it(parquet):
    with pytest.raises(DatasetError, match=r'\[dataset\] image = "x" reads images, .*ignore'):
        parquet(x=[{"bytes": b"PNG", "path": "a.png"}] * 8, y=LABELS)


@pytest.mark.parametrize(("value", "kind"), [([1.0], "list"), ({"a": 1}, "struct")])
def test_a_column_that_is_neither_numbers_nor_words_is_refused_by_name(parquet, value, kind):
    with pytest.raises(DatasetError, match=f"column 'x' .* is {kind}.*: numbers, words or dates"):
        parquet(x=[value] * 8, y=LABELS)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"has no x in row 0 \(counting from 0\): fill"),
        (np.inf, r"'x' holds inf in row 0 \(counting from 0\) of 'a.parquet': mend or drop it"),
    ],
)
def test_a_feature_that_is_not_finite_is_refused(parquet, value, message):
    with pytest.raises(DatasetError, match=message):
        parquet(x=[value, *range(7)], y=LABELS)


@pytest.mark.filterwarnings("error")
def test_a_finite_number_beyond_float32_is_refused_as_too_large(csv):
    with pytest.raises(DatasetError, match="too large for float32"):
        csv(*rows([1e300] * 8))


@pytest.mark.parametrize("text", ["é,y\n1,0\n", "x,y\n1,café\n2,thé\n3,café\n4,thé\n5,thé\n"])
def test_text_that_is_not_utf8_is_refused_and_not_read_as_bytes(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match=r"a\.csv"):
        load(DatasetTable(source=f"csv:{tmp_path / 'a.csv'}", label="y"))


@pytest.mark.parametrize("word", ["unknown", "n/a?", "7 or 8"])
def test_a_word_among_numbers_is_a_mistake_and_no_category(parquet, word):
    with pytest.raises(DatasetError, match=r"column 'x' holds '.*' in row 3 .* numbers elsewhere"):
        parquet(x=["1", "2.5", "3", word, "5", "6", "7", "8"], y=LABELS)


def test_a_table_of_one_column_is_asked_for_what_separates_its_columns(csv):
    with pytest.raises(DatasetError, match=r"has no column 'y'.*: what separates its columns"):
        csv("x^y", "1^0", "2^1")
