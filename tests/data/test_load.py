"""``[dataset]``: which source, and how much of it."""

import pydantic
import pytest

from memtail_core.data import load
from memtail_core.errors import StudyError
from memtail_core.study import DatasetTable, Spec


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("folders:photos", "unknown kind .did you mean 'folder'"),
        ("http://example.org/a.csv", "unknown kind .known: csv, folder, hf, jsonl, npz"),
        ("", "unknown kind"),
        ("csv", "say which, as 'csv:…'"),
        ("csv:", "say which, as 'csv:…'"),
    ],
)
def test_a_source_of_no_known_kind_or_without_its_name_is_refused(source, words):
    with pytest.raises(StudyError, match=words) as caught:
        load(DatasetTable(source=source))
    assert f"source = '{source}'" in str(caught.value)


def test_what_is_no_setting_of_the_table_is_an_option_of_the_source():
    table = DatasetTable(source="csv:a.csv", label="y", train_limit=9)
    assert table.options == {"label": "y"}


def test_only_the_source_must_be_given():
    table = DatasetTable(source="sklearn:iris")
    assert (table.train_limit, table.test_limit, table.test_fraction) == (None, None, 0.2)
    with pytest.raises(StudyError, match=r"\[dataset\] source is missing"):
        Spec.parse({"dataset": {}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", 3),
        *(("train_limit", value) for value in (1, 0, -5, 2.0, "10", True)),
        *(("test_limit", value) for value in (0, -1, "10", 1.5)),
        *(("test_fraction", value) for value in (0.0, 1.0, -0.1, 1.5, "0.2", float("nan"))),
    ],
)
def test_a_setting_out_of_range_or_of_another_type_is_refused_by_name(key, value):
    with pytest.raises(StudyError, match=rf"\[dataset\] {key} = "):
        Spec.parse({"dataset": {"source": "sklearn:iris", key: value}})


@pytest.mark.parametrize(("key", "value"), [("train_limit", 2), ("test_limit", 1)])
def test_the_smallest_limits_are_accepted(key, value):
    assert getattr(DatasetTable(source="sklearn:iris", **{key: value}), key) == value


def test_a_table_cannot_be_changed():
    table = DatasetTable(source="sklearn:iris")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        table.source = "sklearn:digits"
