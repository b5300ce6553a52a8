"""Files that memtail writes, read as the other projects document and read them, without memtail."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from memtail_core.errors import EstimationError, StoreError
from memtail_core.exchange import registry
from memtail_core.exchange.exporting import export
from memtail_core.exchange.stored import StoredStudy
from memtail_core.experiments.judge.scores import from_file
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from tests.conftest import digits
from tests.exchange.conftest import Exported, datamodeling_scores


@pytest.fixture(scope="module")
def inside(exported: Exported) -> np.ndarray:
    return np.unpackbits(exported.trials.subset, axis=1, count=300).astype(bool)


def test_datamodels_are_matrices_of_bool_and_float16(
    exported: Exported, inside: np.ndarray
) -> None:
    folder = exported.folder("datamodels")
    masks = np.load(folder / "train_masks_70pct.npy", mmap_mode="r")
    margins = np.load(folder / "test_margins_70pct.npy", mmap_mode="r")
    assert (masks.dtype, margins.dtype, margins.shape) == (np.bool_, np.float16, (40, 100))
    np.testing.assert_array_equal(masks, inside)
    np.testing.assert_array_equal(margins, exported.trials.test_values)


def test_lira_is_read_as_their_plots_read_it(exported: Exported, inside: np.ndarray) -> None:
    """``load_data`` of research/mi_lira_2021/plot.py."""
    by_name = {}
    for root, folders, _ in os.walk(exported.folder("lira")):
        for name in folders:
            if not name.startswith("experiment"):
                continue
            last = sorted(Path(root, name, "scores").iterdir())[-1]
            scores = np.load(last)
            by_name[name] = scores, np.load(Path(root, name, "keep.npy"))
    assert len(by_name) == 40
    for k in (0, 9, 10, 39):
        scores, keep = by_name[f"experiment-{k}_40"]
        assert scores.shape == (300, 1) and keep.dtype == np.bool_
        np.testing.assert_array_equal(keep, inside[k])
        np.testing.assert_array_equal(scores[:, 0], exported.trials.train_values[k])


def test_privacy_meter_has_a_column_for_each_model(exported: Exported, inside: np.ndarray) -> None:
    folder = exported.folder("privacy-meter")
    np.testing.assert_array_equal(np.load(folder / "models/memberships.npy"), inside)
    signals = np.load(folder / "signals/rmia_signals.npy")
    population = np.load(folder / "signals/rmia_signals_pop.npy")
    assert (signals.shape, population.shape) == ((300, 40), (100, 40))
    margins = exported.trials.train_values.astype(float).T
    np.testing.assert_allclose(signals, 1 / (1 + np.exp(-margins)), rtol=1e-12)


def test_the_ground_truth_of_dattri_gives_the_score_of_the_judge(
    exported: Exported, inside: np.ndarray, tmp_path: Path
) -> None:
    """As ``dattri.metric.lds`` computes it: sums over indices, ranked against target values."""
    folder = exported.folder("dattri")
    values = torch.load(folder / "target_values_lds.pt", weights_only=True)
    indices = torch.load(folder / "indices_lds.pt", weights_only=True)
    assert sorted(path.name for path in folder.iterdir()) == [
        "indices_lds.pt",
        "target_values_lds.pt",
    ]
    assert (values.dtype, indices.dtype) == (torch.float32, torch.int64)
    assert (values.shape, indices.shape) == ((40, 100), (40, 210))
    assert (np.take_along_axis(inside, indices.numpy(), 1)).all()
    score = np.random.default_rng(0).normal(size=(300, 100))
    sums = np.stack([score[rows].sum(axis=0) for rows in indices.numpy()])
    expected = [spearmanr(sums[:, z], values[:, z]).statistic for z in range(100)]
    np.save(tmp_path / "mine.npy", score)
    trained = exported.trained
    scores = from_file(str(tmp_path / "mine.npy"), trained.dataset, trained.study.id)
    rho = datamodeling_scores(trained.study, exported.trials, scores, 0)
    np.testing.assert_allclose(rho, expected, atol=1e-6)


def test_a_folder_appears_whole_or_not_at_all(exported: Exported, tmp_path: Path) -> None:
    study = StoredStudy(exported.trained.store, exported.trained.study)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("keep me")
    with pytest.raises(StoreError, match="not empty"):
        export(study, registry.FORMATS["npz"], tmp_path / "full")
    stopped = StoredStudy(study.store, study.study, advance=lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        export(stopped, registry.FORMATS["datamodels"], tmp_path / "cut")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    (tmp_path / "empty").mkdir()
    assert export(study, registry.FORMATS["npz"], tmp_path / "empty") == ["trials.npz"]


def test_a_study_without_margins_is_only_plain_arrays(tmp_path: Path) -> None:
    from memtail_core import catalogue
    from memtail_core.plan import shards
    from memtail_core.running.preparation import prepare

    study, dataset = prepare(
        digits(study={"margins": False, "shard_size": 2}, training={"epochs": 1, "widths": [4]})
    )
    store = FilesStore(tmp_path / "runs")
    catalogue.register(store, study, dataset, 2)
    ShardTrainer(store, study, "cpu").train(shards.planned(study, 2)[0])
    stored = StoredStudy(store, study)
    for name in ("datamodels", "lira", "privacy-meter", "dattri"):
        with pytest.raises(EstimationError, match=r"no margins of .* --to npz"):
            export(stored, registry.FORMATS[name], tmp_path / name)
    export(stored, registry.FORMATS["npz"], tmp_path / "npz")
    with np.load(tmp_path / "npz/trials.npz") as arrays:
        assert "test_margins" not in arrays and arrays["test_correct"].shape == (2, 100)


def test_a_damaged_shard_is_not_exported(exported: Exported, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(exported.trained.folder, tmp_path / "runs")
    store, study = FilesStore(tmp_path / "runs"), exported.trained.study
    key = next(iter(store.list(f"{study.prefix}shards/")))
    store.put(key, store.get(key)[:-100])
    with pytest.raises(StoreError, match=f"damaged .*memtail run {study.id} again first"):
        export(StoredStudy(store, study), registry.FORMATS["npz"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
