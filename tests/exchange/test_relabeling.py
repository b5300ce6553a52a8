"""Corrected labels come back: what changes, what is refused, and the next study."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, MemtailError, StudyError
from memtail_core.exchange import corrections, relabeling
from memtail_core.exchange.corrections import Change
from memtail_core.running.preparation import prepare
from memtail_core.study import Spec
from tests.exchange.planted import CLASSES, Planted, digits_with_wrong_labels
from tests.texts import reviewed


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return digits_with_wrong_labels()[0]


def written(folder: Path, *rows: str, header: str = "index,name,label") -> Path:
    file = folder / "fixed.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def other(dataset: Dataset, i: int) -> str:
    return CLASSES[(dataset.y_train[i] + 1) % 10]


def test_an_exported_csv_with_corrected_cells_is_read(lists: Planted, tmp_path: Path) -> None:
    """As people do it: export, correct what is wrong, save."""
    with (lists.folder("csv") / "examples.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        i = int(row["index"])
        if lists.is_wrong[i]:
            row["label"] = CLASSES[lists.right[i]]
    fixed = tmp_path / "fixed.csv"
    with fixed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    changes = corrections.read(fixed, lists.dataset)
    assert [change.index for change in changes] == np.flatnonzero(lists.is_wrong).tolist()
    np.testing.assert_array_equal(corrections.applied(changes, lists.dataset), lists.right)
    relabeling.write(lists.study, lists.dataset, 40, changes, tmp_path / "next")
    spec = Spec.load(str(tmp_path / "next" / "study.toml"))
    study, again = prepare(spec)
    expected = replace(lists.dataset, y_train=lists.right)
    assert again.sha256 == expected.sha256, "the same data but for the labels"
    assert (study.training, study.seed, study.subsets) == (
        lists.study.training,
        lists.study.seed,
        lists.study.subsets,
    )
    assert study.probabilities and study.name == "planted-relabeled" and study.id != lists.study.id


def test_a_name_or_an_index_is_enough(dataset: Dataset, tmp_path: Path) -> None:
    named = written(tmp_path, f"digits/0003.png,{other(dataset, 3)}", header="name,label")
    expected = [Change(3, "digits/0003.png", CLASSES[dataset.y_train[3]], other(dataset, 3))]
    assert corrections.read(named, dataset) == expected
    by_index = written(tmp_path, f"3;{other(dataset, 3)}", header="index;label")
    assert corrections.read(by_index, dataset) == expected


def exported(annotations: list[Any], index: int = 3, name: str = "digits/0003.png") -> Any:
    return {"data": {"index": index, "name": name}, "annotations": annotations}


def chosen(label: str, **more: Any) -> dict[str, Any]:
    return {"result": [{"value": {"choices": [label]}}], **more}


def test_label_studios_export_is_read(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "project.json"
    skipped = chosen("zero", was_cancelled=True)
    tasks = [exported([skipped, chosen(other(dataset, 3))]), exported([], 4, "digits/0004.png")]
    file.write_text(json.dumps(tasks))
    (change,) = corrections.read(file, dataset)
    assert (change.index, change.after) == (3, other(dataset, 3))
    file.write_text(json.dumps([exported([chosen("one"), chosen("two")])]))
    with pytest.raises(DatasetError, match="annotators disagree"):
        corrections.read(file, dataset)
    for wrong in ('{"x": 1}', "[3]", "{", '[{"data": {}, "annotations": [{"result": [{}]}]}]'):
        file.write_text(wrong)
        with pytest.raises(DatasetError):
            corrections.read(file, dataset)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,digits/0003.png,tow", "'tow' is not a class of this study .did you mean 'two'"),
        ("400,x,two", "there is no example 400, only 0 to 399"),
        ("-1,x,two", "there is no example -1"),
        ("3,digits/0004.png,two", "example 3 is digits/0003.png, not digits/0004.png"),
        (",nobody.png,two", "no training example is called 'nobody.png'"),
        ("3,digits/0003.png,", "has no label"),
    ],
)
def test_what_is_unknown_is_refused_in_one_line(
    dataset: Dataset, tmp_path: Path, row: str, message: str
) -> None:
    with pytest.raises(MemtailError, match=message) as caught:
        corrections.read(written(tmp_path, row), dataset)
    assert "\n" not in str(caught.value)


def test_contradictions_and_files_that_change_nothing_are_refused(
    dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="which another row labels"):
        corrections.read(written(tmp_path, "3,,two", "3,,four"), dataset)
    same = f"3,digits/0003.png,{CLASSES[dataset.y_train[3]].replace('=', chr(39) + '=')}"
    with pytest.raises(DatasetError, match="nothing changes"):
        corrections.read(written(tmp_path, same), dataset)
    with pytest.raises(MemtailError, match="label"):
        corrections.read(written(tmp_path, "3,two", header="index,class"), dataset)
    with pytest.raises(MemtailError):
        corrections.read(tmp_path / "nowhere.csv", dataset)


def test_texts_keep_their_tokens(tmp_path: Path) -> None:
    spec = Spec.parse(
        {"dataset": {"source": "here"}, "training": {"recipe": "bag", "buckets": 256, "epochs": 2}}
    )
    study, dataset = prepare(spec, reviewed())
    after = dataset.classes[1 - dataset.y_train[0]]
    change = Change(0, "0", dataset.classes[dataset.y_train[0]], after)
    relabeling.write(study, dataset, 10, [change], tmp_path / "next")
    _, again = prepare(Spec.load(str(tmp_path / "next" / "study.toml")))
    np.testing.assert_array_equal(again.train.whole(), dataset.train.whole())
    assert list(again.texts.train) == list(dataset.texts.train)  # type: ignore[union-attr]
    assert (again.y_train != dataset.y_train).sum() == 1


def test_options_of_every_kind_survive_the_study_file(dataset: Dataset, tmp_path: Path) -> None:
    table = {"recipe": "sklearn:naive_bayes.GaussianNB", "var_smoothing": 1e-09}
    study, _ = prepare(Spec.parse({"dataset": {"source": "here"}, "training": table}), dataset)
    change = Change(3, "x", "y", other(dataset, 3))
    relabeling.write(study, dataset, 10, [change], tmp_path / "next")
    again, _ = prepare(Spec.load(str(tmp_path / "next" / "study.toml")))
    assert again.training == study.training


def test_imported_models_have_no_next_study(dataset: Dataset, lists: Planted) -> None:
    imported = lists.study.model_copy(update={"training": {"recipe": "imported"}})
    with pytest.raises(StudyError, match="imported"):
        relabeling.check(imported, dataset)
