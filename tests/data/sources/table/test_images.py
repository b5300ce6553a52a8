"""Images in a column of a table: bytes, paths, or both; and what is wrong, in one line."""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from memtail_core.errors import DatasetError, StudyError
from tests.data.sources.pictures import WORDS, N, png, read, rows, save, words

STRUCT = pyarrow.struct([("path", pyarrow.string()), ("bytes", pyarrow.binary())])


def parquet(folder: Path, images: Any, labels: Any = WORDS) -> str:
    table = pyarrow.table({"picture": images, "animal": labels})
    pyarrow.parquet.write_table(table, folder / "a.parquet")
    return f"parquet:{folder}/a.parquet"


def listed(folder: Path, lines: list[str]) -> str:
    (folder / "a.csv").write_text("\n".join(["file,animal", *lines]))
    return f"csv:{folder}/a.csv"


def refused(source: str, **options: Any) -> str:
    with pytest.raises((DatasetError, StudyError)) as caught:
        read(source, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    "images",
    [
        [png(row) for row in range(N)],
        pyarrow.array([png(row) for row in range(N)], pyarrow.large_binary()),
        pyarrow.chunked_array([[png(r) for r in range(5)], [png(r) for r in range(5, N)]]),
        pyarrow.array([{"bytes": png(r), "path": None} for r in range(N)], STRUCT),
        pyarrow.array([{"bytes": None, "path": f"{r}.png"} for r in range(N)], STRUCT),
        pyarrow.array([f"{r}.png" for r in range(N)]).dictionary_encode(),
    ],
    ids=["bytes", "large", "chunks", "struct of bytes", "struct of paths", "categories"],
)
def test_however_a_column_holds_images_each_keeps_its_label(tmp_path: Path, images: Any) -> None:
    save(tmp_path)
    dataset = read(parquet(tmp_path, images), image="picture", label="animal")
    assert sorted(rows(dataset)) == list(range(N))
    assert words(dataset) == [WORDS[row] for row in rows(dataset)]


def test_a_path_is_seen_from_the_tables_folder_and_is_the_examples_name(tmp_path: Path) -> None:
    save(tmp_path / "tables" / "in")
    lines = [f"in/{row}.png ,{word}" for row, word in enumerate(WORDS)]
    dataset = read(listed(tmp_path / "tables", lines), image="file", label="animal")
    names = [*dataset.train_names, *dataset.test_names]
    assert names == [f"in/{row}.png" for row in rows(dataset)]


def test_two_rows_of_one_path_are_named_by_their_rows(tmp_path: Path) -> None:
    save(tmp_path)
    lines = [f"{row}.png,{word}" for row, word in enumerate(WORDS)] + ["0.png,ant"]
    dataset = read(listed(tmp_path, lines), image="file", label="animal")
    assert {*dataset.train_names, *dataset.test_names} == {str(row) for row in range(N + 1)}


def test_what_lacks_an_image_or_a_label_is_refused_or_dropped_and_counted(tmp_path: Path) -> None:
    save(tmp_path)
    lines = [f"{row}.png,{word}" for row, word in enumerate(WORDS)]
    lines[3], lines[5] = "3.png,", ",cat"
    source = listed(tmp_path, lines)
    assert "has no animal in line 5" in refused(source, image="file", label="animal")
    assert "has no file in line 7" in refused(source, image="file", label="animal")
    dataset = read(source, image="file", label="animal", missing="drop")
    assert sorted(rows(dataset)) == sorted({*range(N)} - {3, 5})
    said = "2 of 12 rows of '{}' left out: no animal (1), no file (1)"
    assert said.format(tmp_path / "a.csv") in dataset.account.lines


def test_broken_images_are_named_by_row_and_can_be_skipped(tmp_path: Path) -> None:
    images = [png(row) for row in range(N)]
    images[4], images[8] = b"", b"\x89PNG\r\n\x1a\n..."
    source = parquet(tmp_path, images)
    line = refused(source, image="picture", label="animal")
    assert "cannot read 2 files" in line
    assert "'4' (the file is empty)" in line
    dataset = read(source, image="picture", label="animal", broken="skip")
    assert sorted(rows(dataset)) == sorted({*range(N)} - {4, 8})
    assert {*dataset.train_names, *dataset.test_names} == {str(r) for r in rows(dataset)}
    images[8] = png(8)
    one = refused(parquet(tmp_path, images), image="picture", label="animal")
    assert "cannot read the image in row 4 (counting from 0) of" in one


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"image": "pictures"}, "has no column 'pictures' (did you mean 'picture'?)"),
        ({"image": "n"}, "the column 'n' of '{}' is int64: images are bytes, the paths of files"),
        ({"image": "picture", "missing": "impute"}, "makes no image"),
        ({"image": "picture", "ignore": ["n"]}, "are for features"),
        ({"size": 8}, "are for images: set image to their column too"),
        ({"image": "picture", "size": 0}, "size = 0"),
        ({"image": "picture", "label": "picture"}, "bytes that are not UTF-8 text"),
    ],
)
def test_options_that_say_nothing_and_columns_that_hold_none_are_refused(
    tmp_path: Path, options: dict[str, Any], line: str
) -> None:
    columns = {"picture": [png(r) for r in range(N)], "animal": WORDS, "n": list(range(N))}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    said = refused(f"parquet:{tmp_path}/a.parquet", **{"label": "animal", **options})
    assert line.format(tmp_path / "a.parquet") in said


def test_a_folder_without_classes_says_that_its_metadata_may_have_them(tmp_path: Path) -> None:
    save(tmp_path)
    lines = [f'{{"file_name": "{row}.png", "animal": "{word}"}}' for row, word in enumerate(WORDS)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert "set [dataset] label to the column of metadata.jsonl" in refused(f"folder:{tmp_path}")
    dataset = read(f"folder:{tmp_path}", label="animal")
    assert words(dataset) == [WORDS[row] for row in rows(dataset)]
    assert "did you mean 'animal'?" in refused(f"folder:{tmp_path}", label="animl")
    both = refused(f"folder:{tmp_path}", label="animal", class_folders="top")
    assert "one of them says the classes" in both
    (tmp_path / "metadata.jsonl").write_text('{"file_name": ')
    assert "cannot read" in refused(f"folder:{tmp_path}", label="animal")
    (tmp_path / "metadata.jsonl").unlink()
    assert "has no metadata.csv or metadata.jsonl" in refused(f"folder:{tmp_path}", label="animal")
