"""Folders of Hugging Face: which split, which column, which names; faults in one line."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from memtail_core.errors import DatasetError
from tests.data.sources.pictures import WORDS, N, png, read, rows, save, words

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
NAMES = ["ant", "bee", "cat"]
LABELS = [NAMES.index(word) for word in WORDS]


def table(labels: Any = LABELS, names: list[str] = NAMES, **columns: Any) -> Any:
    """Images and labels as datasets writes them."""
    features = {
        "animal": {"names": names, "_type": "ClassLabel"},
        "picture": {"_type": "Image"},
    }
    images = pyarrow.array([{"bytes": png(row), "path": None} for row in range(N)], IMAGE)
    made = pyarrow.table({"picture": images, "animal": labels, **columns})
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    return made.replace_schema_metadata(about)


def repository(root: Path, names: list[str], what: Any = None) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table() if what is None else what, root / name)
    return f"hf:{root}"


def saved(root: Path, files: int = 1, state: dict[str, Any] | None = None) -> str:
    """As Dataset.save_to_disk."""
    root.mkdir(parents=True, exist_ok=True)
    names = [f"data-{number:05}-of-{files:05}.arrow" for number in range(files)]
    for number, name in enumerate(names):
        part = table().slice(number * (N // files), N // files)
        with pyarrow.ipc.new_stream(root / name, part.schema) as stream:
            stream.write_table(part)
    listed = {"_data_files": [{"filename": name} for name in names]}
    (root / "state.json").write_text(json.dumps(listed if state is None else state))
    return f"hf:{root}"


def refused(source: str, **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        read(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "is_split"),
    [
        (["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"], True),
        (["train.parquet", "validation.parquet"], True),
        (["plain/train/0000.parquet", "plain/valid/0000.parquet"], True),
        (["a.parquet"], False),
        (["data/my_training_set.parquet"], False),
        (["train-00000.parquet", ".cache/test-00000.parquet"], False),
    ],
)
def test_names_of_parquet_files_tell_the_split(
    tmp_path: Path, names: list[str], is_split: bool
) -> None:
    dataset = read(repository(tmp_path, names))
    assert len(dataset.y_test) == (N if is_split else 2)
    assert words(dataset) == [WORDS[row] for row in rows(dataset)]


def test_the_files_of_a_split_follow_each_other(tmp_path: Path) -> None:
    dataset = read(saved(tmp_path / "saved", files=3))
    assert dataset.classes == tuple(NAMES)
    assert sorted(rows(dataset)) == list(range(N))
    assert words(dataset) == [WORDS[row] for row in rows(dataset)]


def test_any_split_can_be_chosen(tmp_path: Path) -> None:
    files = ["train.parquet", "test.parquet", "validation.parquet"]
    source = repository(tmp_path, files)
    pyarrow.parquet.write_table(table().slice(0, 6), tmp_path / "validation.parquet")
    assert len(read(source).y_test) == N
    assert len(read(source, test="validation").y_test) == 6
    assert len(read(source, train="validation").y_train) == 6


def test_labels_of_minus_one_are_missing(tmp_path: Path) -> None:
    labels = [*LABELS[:-1], -1]
    source = repository(tmp_path, ["train.parquet"], table(labels))
    assert "has no animal in row 11" in refused(source)
    assert sorted(rows(read(source, missing="drop"))) == list(range(N - 1))


def test_images_beside_the_files_are_read_by_their_paths(tmp_path: Path) -> None:
    save(tmp_path)
    images = pyarrow.array([{"bytes": None, "path": f"{row}.png"} for row in range(N)], IMAGE)
    dataset = read(
        repository(tmp_path, ["train.parquet"], table().set_column(0, "picture", images))
    )
    assert [*dataset.train_names, *dataset.test_names] == [f"{row}.png" for row in rows(dataset)]


def test_a_table_without_images_has_its_columns_as_features(tmp_path: Path) -> None:
    plain = table(weight=[float(n) for n in range(N)], legs=[6, 6, 4] * 4).drop_columns("picture")
    dataset = read(repository(tmp_path, ["train.parquet"], plain))
    assert dataset.features == ("weight", "legs")
    assert dataset.classes == tuple(NAMES)


@pytest.mark.parametrize(
    ("what", "options", "line"),
    [
        (table(), {"train": "trian"}, "has no split 'trian' (did you mean 'train'?)"),
        (table(), {"label": "animl"}, "has no column 'animl' (did you mean 'animal'?)"),
        (table(), {"label": "picture"}, "the label 'picture' of"),
        (table(n=LABELS), {"image": "n"}, "the column 'n' of"),
        (table().replace_schema_metadata({}), {}, "set [dataset] label to one of 'picture'"),
        (table(names=["ant", "bee"]), {}, "is 2 in row 2 (counting from 0), and there are 2 class"),
        (table(again=LABELS).replace_schema_metadata({"huggingface": "[" * 10**5}), {}, "label"),
    ],
)
def test_columns_and_splits_that_are_not_there_are_one_line(
    tmp_path: Path, what: Any, options: dict[str, Any], line: str
) -> None:
    assert line in refused(repository(tmp_path, ["train.parquet"], what), **options)


def test_two_columns_of_images_ask_which(tmp_path: Path) -> None:
    twice = table(mask=table()["picture"])
    source = repository(tmp_path, ["train.parquet"], twice)
    assert "set [dataset] image to one of 'picture', 'mask'" in refused(source)
    assert len(read(source, image="mask").y_train) == N - 2


def test_several_configurations_ask_which(tmp_path: Path) -> None:
    source = repository(tmp_path, ["large/train-0.parquet", "small/train-0.parquet"])
    assert f"read one of them, as 'hf:{tmp_path}/large'" in refused(source)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ({"_indices_files": [{"filename": "i.arrow"}]}, "call flatten_indices()"),
        ({"_data_files": [{"filename": "../../x.arrow"}]}, "lies outside of it"),
        ({"_data_files": [{"filename": "x.arrow"}]}, "lacks 'x.arrow': copy it whole"),
        ({"_data_files": [7]}, "copy it whole"),
    ],
)
def test_what_save_to_disk_did_not_write_is_one_line(
    tmp_path: Path, state: dict[str, Any], line: str
) -> None:
    assert line in refused(saved(tmp_path / "saved", state=state))


def test_damaged_folders_are_one_line(tmp_path: Path) -> None:
    source = saved(tmp_path / "saved")
    (file,) = (tmp_path / "saved").glob("*.arrow")
    os.truncate(file, 1000)
    assert f"cannot read '{file}'" in refused(source)
    (tmp_path / "saved" / "state.json").write_text("{")
    assert "cannot read" in refused(source)
    (tmp_path / "dataset_dict.json").write_text('{"splits": "train"}')
    assert "names no splits" in refused(f"hf:{tmp_path}")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["../up"]}')
    assert "lies outside of it" in refused(f"hf:{tmp_path}")
    assert "there is no folder" in refused(f"hf:{tmp_path}/nothing")
    (tmp_path / "empty").mkdir()
    assert "is no Hugging Face dataset" in refused(f"hf:{tmp_path}/empty")
