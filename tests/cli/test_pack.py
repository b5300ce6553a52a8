"""``memtail pack``: what it prints, and a user's mistakes in one line."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from tests.cli.conftest import Memtail, refused


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("ant", "bee"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(30):
            pixels = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def test_a_study_reads_what_was_packed(photos: Path, memtail: Memtail) -> None:
    result = memtail("pack", "folder:photos", "--size", "6", "-o", "photos.memtail")
    assert result.exit_code == 0, result.output
    assert "60 training images of 6 × 6 × 3 in 1 part, 6.5 kB" in result.stdout
    assert 'source = "packed:photos.memtail"' in result.stdout
    Path("study.toml").write_text('[dataset]\nsource = "packed:photos.memtail"\n')
    told = memtail("run", "study.toml", "--dry-run").stdout
    assert "packed:photos.memtail: 48 training and 12 test images, 2 classes" in told
    assert "a process; all of them map the same 6.0 kB of records from files" in told
    Path("study.toml").write_text('[dataset]\nsource = "folder:photos"\nsize = 6\n')
    ids = [
        re.findall(r"study-\w{10}", each)
        for each in (told, memtail("run", "study.toml", "--dry-run").stdout)
    ]
    assert ids[0] == ids[1]  # the same study


def test_json_says_what_was_read_and_left_out(photos: Path, memtail: Memtail) -> None:
    (photos / "ant" / "3.png").write_bytes(b"broken")
    arguments = ("pack", "folder:photos", "-o", "photos.memtail")
    assert "cannot read the image" in refused(memtail(*arguments))
    told = json.loads(memtail(*arguments, "--broken", "skip", "--json").stdout)
    assert told["train"] == 59
    assert told["warnings"] == [
        "1 file left out that cannot be read: 'ant/3.png (cannot identify image file)'"
    ]
    assert told == json.loads(memtail(*arguments, "--broken", "skip", "--json").stdout)


def test_mistakes_are_one_line(photos: Path, memtail: Memtail) -> None:
    assert "there is no folder" in refused(memtail("pack", "folder:none", "-o", "x"))
    assert "unknown kind" in refused(memtail("pack", "foldr:photos", "-o", "x"))
    assert "size = 0: give the pixels" in refused(
        memtail("pack", "folder:photos", "--size", "0", "-o", "x")
    )
    Path("file").write_text("")
    assert "'file' is a file: give a folder" in refused(
        memtail("pack", "folder:photos", "-o", "file")
    )
    assert "not an option of 'folder:'" in refused(
        memtail("pack", "folder:photos", "--set", "sise=3", "-o", "x")
    )
    assert "is no packed dataset" in refused(run_with(memtail, "packed:photos"))


def run_with(memtail: Memtail, source: str) -> Result:
    Path("study.toml").write_text(f'[dataset]\nsource = "{source}"\n')
    return memtail("run", "study.toml")
