"""Scores that zarr wrote: what is read, and what is not. A stand-in for zarr serves the arrays."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.experiments.judge.scores import from_file
from memtail_core.experiments.judge.zarr_arrays import opened
from tests.conftest import Trained


class Array(SimpleNamespace):
    """As zarr's: rows are read when they are asked for."""

    def __getitem__(self, rows: Any) -> np.ndarray[Any, Any]:
        self.asked.append(rows)
        return np.asarray(self.of[rows])


def array(of: np.ndarray[Any, Any], **attributes: Any) -> Array:
    return Array(
        of=of, shape=of.shape, ndim=of.ndim, dtype=of.dtype, asked=[],
        attrs=SimpleNamespace(asdict=lambda: attributes),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as zarr writes one, format 3, with its default compression."""
    made = tmp_path / "mine.zarr"
    made.mkdir()
    codecs = [{"name": "bytes", "configuration": {}}, {"name": "zstd", "configuration": {}}]
    (made / "zarr.json").write_text(json.dumps({"node_type": "array", "codecs": codecs}))
    return made


def holding(monkeypatch: pytest.MonkeyPatch, node: Any) -> None:
    module = ModuleType("zarr")
    module.Array, module.open = Array, lambda *_, **__: node  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zarr", module)


def test_an_array_is_read_block_by_block(
    trained: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = np.random.default_rng(0).normal(size=(300, 100)).astype(np.float32)
    node = array(dense, trials=[0, 1], study=trained.study.id)
    holding(monkeypatch, node)
    monkeypatch.setattr("memtail_core.experiments.judge.scores.BLOCK_BYTES", 4 * 100 * 200)
    scores = from_file(str(folder), trained.dataset, trained.study.id)
    assert scores.name == "mine"
    assert scores.trials.tolist() == [0, 1]
    assert node.asked == []
    np.testing.assert_array_equal(np.concatenate([b for _, b in scores.blocks()]), dense)
    assert node.asked == [slice(0, 200), slice(200, 400)]


def test_a_group_is_read_as_an_npz_is(
    trained: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, own = np.ones((100, 2)), np.arange(300.0)
    arrays = {"values": values, "indices": np.tile([3, 5], (100, 1)), "self_influence": own}
    attributes = {"dataset": trained.dataset.sha256}
    node = SimpleNamespace(
        attrs=SimpleNamespace(asdict=lambda: attributes),
        arrays=lambda: ((name, array(each)) for name, each in arrays.items()),
    )
    holding(monkeypatch, node)
    scores = from_file(str(folder), trained.dataset, trained.study.id)
    ((_, block),) = scores.blocks()
    assert np.flatnonzero(block.any(axis=1)).tolist() == [3, 5]
    assert scores.itself is not None
    np.testing.assert_array_equal(scores.itself(), own)
    attributes["dataset"] = "0" * 64
    with pytest.raises(EstimationError, match="of other data"):
        from_file(str(folder), trained.dataset, trained.study.id)


def test_a_codec_that_unpickles_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holding(monkeypatch, array(np.zeros(3)))
    assert set(opened(folder)) == {"scores"}
    inner = {
        "name": "sharding_indexed",
        "configuration": {"codecs": [{"name": "numcodecs.pickle"}]},
    }
    (folder / "c").mkdir()
    (folder / "c" / "zarr.json").write_text(json.dumps({"codecs": [inner]}))
    with pytest.raises(EstimationError, match=r"encoded by 'numcodecs.pickle', which memtail does"):
        opened(folder)
    (folder / "c" / "zarr.json").unlink()
    older = {"compressor": {"id": "blosc"}, "filters": [{"id": "pickle", "protocol": 5}]}
    (folder / ".zarray").write_text(json.dumps(older))
    with pytest.raises(EstimationError, match="encoded by 'pickle'"):
        opened(folder)
    (folder / ".zarray").write_text("{")
    with pytest.raises(EstimationError, match="zarray is damaged"):
        opened(folder)


def test_without_zarr_and_without_a_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding(monkeypatch, array(np.zeros(3)))
    with pytest.raises(EstimationError, match="there is no such folder"):
        opened(tmp_path / "none.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(
        EstimationError, match=r"needs zarr to be read: pip install 'memtail\[zarr\]'"
    ):
        opened(folder)
