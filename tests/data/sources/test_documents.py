"""Documents without labels, for language modelling, from every source that gives texts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from memtail_core.data import UNLABELLED, Dataset, load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable
from tests.data.sources.test_texts import LABELS, LINES, WRITE
from tests.texts import counting


def loaded(source: str, **options: Any) -> Dataset:
    return load(DatasetTable(source=source, task="language-modelling", **options))


def check(dataset: Dataset) -> None:
    """The documents are all of the lines, of one class, with a drawn test set."""
    assert dataset.texts is not None
    assert not dataset.is_labelled
    assert (dataset.classes, dataset.default_recipe) == (UNLABELLED, "gpt")
    assert not dataset.y_train.any()
    assert not dataset.y_test.any()
    assert (len(dataset.y_train), len(dataset.y_test)) == (48, 12)
    assert sorted([*dataset.texts.train, *dataset.texts.test]) == sorted(LINES)


@pytest.mark.parametrize("kind", WRITE)
def test_a_column_of_texts_without_a_label(kind: str, tmp_path: Path) -> None:
    check(loaded(WRITE[kind](tmp_path / "reviews", LINES, LABELS), text="review"))


def test_every_table_of_the_same_texts_is_the_same_dataset_and_is_stored_and_read(
    tmp_path: Path,
) -> None:
    datasets = [
        loaded(write(tmp_path / kind, LINES, LABELS), text="review")
        for kind, write in WRITE.items()
    ]
    (digest,) = {each.sha256 for each in datasets}
    again = Dataset.from_npz(datasets[0].to_npz(), digest)
    check(again)


def test_tables_with_nothing_but_texts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("story\n" + "\n".join(f'"one, {i}"' for i in range(20)))
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"story": f"one, {i}"}) for i in range(20))
    )
    pyarrow.parquet.write_table(
        pyarrow.table({"story": [f"one, {i}" for i in range(20)]}), tmp_path / "a.parquet"
    )
    digests = set()
    for kind in ("csv", "jsonl", "parquet"):
        dataset = loaded(f"{kind}:{tmp_path}/a.{kind}", text="story", test_fraction=0.25)
        digests.add(dataset.sha256)
        assert any("20 rows, 1 columns" in line for line in dataset.account.lines)
        assert not any("label" in line for line in dataset.account.lines)
    assert len(digests) == 1


def test_a_parquet_dataset_without_any_class_label(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"review": LINES}), tmp_path / "train.parquet")
    check(loaded(f"hf:{tmp_path}", text="review"))


def test_text_files_may_lie_anywhere(tmp_path: Path) -> None:
    for i, line in enumerate(LINES):
        folder = tmp_path / ("deep/er" if i % 2 else ".")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03}.txt").write_text(line, encoding="utf-8")
    check(loaded(f"folder:{tmp_path}", text=True))


def test_folders_of_sets_are_the_sets(tmp_path: Path) -> None:
    for i, line in enumerate(LINES):
        folder = tmp_path / ("Train" if i < 48 else "test/of/them")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03}.txt").write_text(line, encoding="utf-8")
    (tmp_path / "about.txt").write_text("about")
    dataset = loaded(f"folder:{tmp_path}", text=True)
    check(dataset)
    assert dataset.train_name(47) == "Train/047.txt"
    assert dataset.test_name(0) == "test/of/them/048.txt"
    assert "60 text files read, left out: 1 not below train/ or test/" in dataset.account.lines


def test_arrays_and_functions_need_no_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "texts.npz", x_train=np.array(LINES))
    check(loaded(f"npz:{tmp_path}/texts.npz"))
    (tmp_path / "my_documents.py").write_text(f"def texts():\n    return {LINES!r}, None\n")
    monkeypatch.syspath_prepend(tmp_path)
    check(loaded("python:my_documents:texts"))


def test_a_limit_and_a_given_test_set_hold(tmp_path: Path) -> None:
    for name, lines in (("a", LINES[:40]), ("b", LINES[40:])):
        WRITE["jsonl"](tmp_path / name, lines, ["good"] * len(lines))
    dataset = loaded(
        f"jsonl:{tmp_path}/a", test=f"{tmp_path}/b", text="review", train_limit=30, test_limit=9
    )
    assert (len(dataset.y_train), len(dataset.y_test)) == (30, 9)


def test_documents_that_are_cut_are_counted(tmp_path: Path) -> None:
    source = WRITE["jsonl"](tmp_path / "a", [*LINES[:-1], " ".join(LINES)], LABELS)
    dataset = loaded(source, text="review", tokens={"length": 64})
    assert "1 text cut after 64 tokens" in dataset.account.lines
    assert dataset.shape == (64,)


def test_empty_documents_are_kept_and_warned_of(tmp_path: Path) -> None:
    source = WRITE["jsonl"](tmp_path / "a", ["", "x", *LINES[2:]], LABELS)
    dataset = loaded(source, text="review")
    assert len(dataset.y_train) + len(dataset.y_test) == 60
    assert any("empty" in warning for warning in dataset.account.warnings)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "jsonl",
            {"text": "review", "label": "stars"},
            r"label = 'stars': with task = .* no label",
        ),
        ("jsonl", {}, r"text is missing: task = \"language-modelling\" needs"),
        ("hf", {}, r"text is missing: task = \"language-modelling\" needs"),
        ("parquet", {"text": "story"}, "has no column 'story'"),
        ("csv", {"text": "story"}, "has no column 'story'"),
    ],
)
def test_a_mistake_is_one_sentence(
    kind: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    source = WRITE[kind](tmp_path / "reviews", LINES, LABELS)
    with pytest.raises((StudyError, DatasetError), match=message) as raised:
        loaded(source, **options)
    assert "\n" not in str(raised.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is for texts; these data are images"):
        loaded("sklearn:digits")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(StudyError, match=r"text is missing.*or text = true of a folder"):
        loaded(f"folder:{tmp_path}")


def test_texts_without_labels_need_the_task(tmp_path: Path) -> None:
    np.savez(tmp_path / "texts.npz", x_train=np.array(LINES))
    with pytest.raises(DatasetError, match=r"y_train is missing: .*task = \"language-modelling\""):
        load(DatasetTable(source=f"npz:{tmp_path}/texts.npz"))
    source = WRITE["jsonl"](tmp_path / "a", LINES, LABELS)
    with pytest.raises(StudyError, match="label is missing"):
        load(DatasetTable(source=source, text="review"))
    with pytest.raises(StudyError, match='label = "": name a column'):
        load(DatasetTable(source=source, text="review", label=""))


def test_other_classes_of_one_name_are_still_refused() -> None:
    given = counting()
    with pytest.raises(DatasetError, match="at least two classes"):
        Dataset.from_arrays(
            *(given.train.whole(), given.y_train, given.test.whole(), given.y_test),
            classes=("text",),
            modality="text",
        )
