"""``packed:``: what memtail pack wrote is read; what is incomplete, damaged or else is one line."""

from pathlib import Path

import numpy as np
import pytest

from memtail_core.data import load
from memtail_core.data.packed import known
from memtail_core.data.packed.index import Index
from memtail_core.errors import DamagedError, DatasetError
from memtail_core.running.packing import pack
from memtail_core.study import DatasetTable


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed file of 40 images with names."""
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "data.npz",
        x_train=rng.integers(0, 256, (40, 5, 5, 3), dtype=np.uint8),
        y_train=np.arange(40) % 4,
        classes=["a", "b", "c", "a\nb"],
        train_names=[f"{i}é.png" for i in range(40)],
    )
    pack(DatasetTable(source=f"npz:{tmp_path / 'data.npz'}"), tmp_path / "x.memtail")
    return tmp_path / "x.memtail"


def read(output: Path, **options: object) -> object:
    return load(DatasetTable.model_validate({"source": f"packed:{output}", **options}))


def test_options_of_the_draw_still_hold(output: Path, tmp_path: Path) -> None:
    settings = {"train_limit": 20, "test_fraction": 0.25}
    source = {"source": f"npz:{tmp_path / 'data.npz'}", **settings}
    assert read(output, **settings).sha256 == load(DatasetTable.model_validate(source)).sha256  # type: ignore[attr-defined]


def test_packing_again_gives_the_same_file(output: Path, tmp_path: Path) -> None:
    before = {file.name: file.stat().st_size for file in output.rglob("*")}
    pack(DatasetTable(source=f"npz:{tmp_path / 'data.npz'}"), output)
    assert {file.name: file.stat().st_size for file in output.rglob("*")} == before


def test_a_packing_that_was_not_finished_is_no_dataset(output: Path) -> None:
    (output / "index.npz").unlink()
    with pytest.raises(DatasetError, match="is not packed completely: memtail pack SOURCE -o"):
        read(output)


def test_another_folder_is_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no packed dataset: memtail pack"):
        read(tmp_path)


def test_a_damaged_index_is_refused(output: Path) -> None:
    content = bytearray((output / "index.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (output / "index.npz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"is damaged .*: pack it again"):
        read(output)


def test_an_altered_part_is_found_once_and_after_every_change(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[int] = []
    check = known.check_parts
    monkeypatch.setattr(known, "check_parts", lambda *each: (checks.append(1), check(*each))[1])
    read(output)
    read(output)
    assert len(checks) == 1
    (part,) = (output / "parts").iterdir()
    content = bytearray(part.read_bytes())
    content[7] ^= 1
    part.write_bytes(content)
    with pytest.raises(DatasetError, match="SHA-256 differs; delete it and run"):
        read(output)


def test_a_part_that_was_deleted_is_named(output: Path) -> None:
    (part,) = (output / "parts").iterdir()
    part.unlink()
    with pytest.raises(DatasetError, match=f"{part.name}' is missing: run the command"):
        read(output)


@pytest.mark.parametrize("name", ["../../etc/passwd", "x" * 64, "A" * 64])
def test_an_index_may_only_name_parts_by_digest(output: Path, name: str) -> None:
    index = Index.decode((output / "index.npz").read_bytes())
    vars(index.parts[0])["sha256"] = name
    with pytest.raises(DamagedError, match="no index of a packed dataset"):
        Index.decode(index.encode())


def test_an_index_may_only_name_records_that_are_there(output: Path) -> None:
    index = Index.decode((output / "index.npz").read_bytes())
    index.train[3] = 40
    with pytest.raises(DamagedError, match="no index of a packed dataset"):
        Index.decode(index.encode())
