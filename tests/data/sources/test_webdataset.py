"""Tar files of examples: which files, which parts, which labels; faults in one line."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from memtail_core.errors import DatasetError
from tests.data.sources.pictures import WORDS, N, png, read, rows, words


def members(number: int) -> dict[str, bytes]:
    described = {"animal": {"name": WORDS[number], "id": None}}
    return {
        f"./part/{number:03}.png": png(number),
        f"./part/{number:03}.cls": str(number % 3).encode(),
        f"./part/{number:03}.json": json.dumps(described).encode(),
        f"./part/._{number:03}.png": b"of a Mac",
    }


def shard(file: Path, parts: dict[str, bytes], mode: str = "w") -> str:
    with tarfile.open(file, mode) as tar:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return f"webdataset:{file}"


def whole(**more: bytes) -> dict[str, bytes]:
    every = {name: part for row in range(N) for name, part in members(row).items()}
    return every | {f"part/{name.replace('_', '.')}": part for name, part in more.items()}


def refused(source: str, **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        read(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_each_image_keeps_its_label_compressed_or_not(tmp_path: Path, mode: str) -> None:
    dataset = read(shard(tmp_path / "a.tar", whole(), mode))
    assert sorted(rows(dataset)) == list(range(N))
    assert words(dataset) == [str(row % 3) for row in rows(dataset)]
    names = [*dataset.train_names, *dataset.test_names]
    assert names == [f"part/{row:03}" for row in rows(dataset)]


def test_a_label_can_be_a_field_of_json(tmp_path: Path) -> None:
    dataset = read(shard(tmp_path / "a.tar", whole()), label="json.animal.name")
    assert words(dataset) == [WORDS[row] for row in rows(dataset)]


def test_endings_have_no_case(tmp_path: Path) -> None:
    parts = {name.replace(".png", ".PNG"): part for name, part in whole().items()}
    dataset = read(shard(tmp_path / "a.tar", parts), image="Png", label="CLS")
    assert words(dataset) == [str(row % 3) for row in rows(dataset)]


@pytest.mark.parametrize("pattern", ["{0..1}/{08..09}.tar", "*/*.tar", "[01]/{08..09}.tar"])
def test_ranges_and_patterns_stand_for_files_in_order(tmp_path: Path, pattern: str) -> None:
    for number in range(4):
        (tmp_path / str(number // 2)).mkdir(exist_ok=True)
        some = [members(row) for row in range(3 * number, 3 * number + 3)]
        parts = {name: part for each in some for name, part in each.items()}
        shard(tmp_path / str(number // 2) / f"0{8 + number % 2}.tar", parts)
    dataset = read(f"webdataset:{tmp_path}/{pattern}", test_fraction=0.1)
    assert sorted(rows(dataset)) == list(range(N))
    assert rows(dataset)[: len(dataset.y_train)] == sorted(rows(dataset)[: len(dataset.y_train)])


def test_what_has_no_label_or_no_image_is_refused_or_dropped(tmp_path: Path) -> None:
    source = shard(tmp_path / "a.tar", whole(x_png=png(0), y_cls=b"1"))
    line = refused(source)
    assert f"'{tmp_path}/a.tar' has no cls in the example 'part/x'" in line
    assert f"'{tmp_path}/a.tar' has no image in the example 'part/y'" in line
    assert sorted(rows(read(source, missing="drop"))) == list(range(N))


@pytest.mark.parametrize(
    ("parts", "options", "line"),
    [
        ({"a_json": b"{"}, {"label": "json.x"}, "'part/a.json' in '{}' is no JSON object"),
        ({"a_json": b"[1]"}, {"label": "json.x"}, "'part/a.json' in '{}' is no JSON object"),
        (
            {},
            {"label": "json.animal"},
            "no class as animal, but a JSON dict (and 11 more rows)",
        ),
        ({"a_cls": b"\xff\xfe"}, {}, "'part/a.cls' in '{}' is no text"),
        ({"000_png": png(0)}, {}, "'{}' has 'part/000.png' twice"),
        ({}, {"label": "class"}, "has no class in the example 'part/000'"),
        ({}, {"image": "jpg"}, "has no image in the example 'part/000'"),
        (
            {"a_png": b"no image", "a_cls": b"1"},
            {},
            "cannot read the image in the example",
        ),
    ],
)
def test_malformed_parts_are_one_line(
    tmp_path: Path, parts: dict[str, bytes], options: dict[str, Any], line: str
) -> None:
    said = refused(shard(tmp_path / "a.tar", whole(**parts)), **options)
    assert line.format(tmp_path / "a.tar") in said


def test_malformed_files_are_one_line(tmp_path: Path) -> None:
    source = shard(tmp_path / "a.tar", whole())
    assert f"there is no file '{tmp_path}/b.tar'" in refused(f"webdataset:{tmp_path}/b.tar")
    assert "there is no file" in refused(f"webdataset:{tmp_path}/b*.tar")
    assert "more than 1,000,000 files" in refused(f"webdataset:{tmp_path}/{{0..9999999}}.tar")
    assert "more than 1,000,000 files" in refused(f"webdataset:{tmp_path}/{{0..9999}}{{0..999}}")
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:5000])
    assert f"cannot read '{tmp_path}/a.tar'" in refused(source)
    (tmp_path / "a.tar").write_bytes(b"")
    assert f"cannot read '{tmp_path}/a.tar'" in refused(source)
    shard(tmp_path / "a.tar", {"readme": b"no example"})
    assert "holds no files" in refused(source)
