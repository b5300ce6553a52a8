"""Runs: a training with its outputs, stored with the study and never trained twice."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from memtail_core.approximations import Run, Setting, missing, recorded, recording
from memtail_core.approximations.methods.input_curvature import CURVATURE
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard
from memtail_core.running.shard_training import train_shard
from memtail_core.store import FilesStore
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient.recipe import GradientRecipe
from tests.approximations.conftest import settled
from tests.conftest import digits


@pytest.fixture
def copied(setting: Setting, runs: list[Run], tmp_path: Path) -> Setting:
    shutil.copytree(str(setting.store.location), tmp_path / "runs")
    return dataclasses.replace(setting, store=FilesStore(tmp_path / "runs"))


def test_a_run_is_the_studys_own_trial(setting: Setting, runs: list[Run]) -> None:
    recipe = setting.recipe
    assert isinstance(recipe, GradientRecipe)
    engine = recipe.engine("cpu", Tuning(1, "float32"))
    trial, _ = train_shard(setting.study, setting.dataset, Shard(1, 2), engine, "cpu")
    assert (runs[1].subset == designs.subsets(setting.study, range(1, 2))[0]).all()
    assert trial.train_values is not None
    assert (runs[1].curves.margin[-1] == trial.train_values[0]).all()
    correct = np.unpackbits(trial.train_correct[0], count=300).astype(bool)
    assert (runs[1].curves.correct[-1] == correct).all()


def test_the_networks_kept_are_those_of_the_curves(setting: Setting, runs: list[Run]) -> None:
    run, data = runs[0], setting.data
    assert len(run.networks) == 4
    for number, epoch in enumerate((10, 20, 30, 40)):
        with torch.no_grad():
            z = run.networks.at(number)(data.inputs(data.x_train)).double()
        p = z.softmax(1)
        y = data.y_train
        own = p[torch.arange(300), y].numpy()
        curves = run.curves
        margin = np.clip(np.log(own) - np.log(1 - own), -100, 100)
        sure = np.abs(margin) < 15  # beyond, 1 − p_y has few digits
        np.testing.assert_allclose(curves.margin[epoch - 1][sure], margin[sure], atol=0.02)
        np.testing.assert_allclose(curves.probability[epoch - 1], own, atol=2e-3)
        error = p.clone()
        error[torch.arange(300), y] -= 1
        np.testing.assert_allclose(curves.error[epoch - 1], error.norm(dim=1), atol=2e-3)
        others = z.scatter(1, y[:, None], -torch.inf).amax(1)
        gap = (z[torch.arange(300), y] - others).numpy()
        np.testing.assert_allclose(curves.gap[epoch - 1], gap, rtol=2e-3, atol=0.01)
        assert (curves.correct[epoch - 1] == (z.argmax(1) == y).numpy()).all()


def test_nothing_is_trained_twice(copied: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    first = recorded(copied, 2)
    curvature = first[0].part(CURVATURE)["curvature"]
    assert missing(copied, 4) == [3]
    monkeypatch.setattr(recording, "_trained", None)
    part = dataclasses.replace(CURVATURE, make=lambda networks: {})
    again = recorded(copied, 2)
    assert (again[1].curves.margin == first[1].curves.margin).all()
    assert (again[0].part(part)["curvature"] == curvature).all()
    assert again[0].cost(("curves", "curvature")) == first[0].cost(("curves", "curvature"))


def test_what_is_damaged_is_made_again(copied: Setting, runs: list[Run]) -> None:
    recorded(copied, 2)[1].part(CURVATURE)
    for kept in ("0000001", "0000001-curvature"):
        key = f"{copied.study.prefix}signals/{kept}.npz"
        content = copied.store.get(key)
        copied.store.put(key, content[:200] + b"x" + content[201:])
    assert missing(copied, 3) == [1]
    again = recorded(copied, 2)[1]
    assert (again.curves.margin == runs[1].curves.margin).all()
    assert (again.part(CURVATURE)["curvature"] == runs[1].part(CURVATURE)["curvature"]).all()


def test_trainings_on_all_examples_are_others(tmp_path: Path) -> None:
    setting = settled(digits(training={"epochs": 3}), tmp_path / "runs")
    whole = recorded(setting, 2, whole=True)
    assert all(run.subset.all() for run in whole)
    assert not (whole[0].curves.margin == whole[1].curves.margin).all()
    assert missing(setting, 1) == [0]
    assert missing(setting, 3, whole=True) == [2]


def test_networks_with_other_last_layers_and_normalisation(tmp_path: Path) -> None:
    """What is kept of a network with batch normalisation gives the same network."""
    spec = digits(training={"recipe": "resnet9", "widths": None, "width": 2, "epochs": 2})
    del spec.training["widths"]
    setting = settled(spec, tmp_path / "runs")
    (run,) = recorded(setting, 1)
    with torch.no_grad():
        z = run.networks.at(-1)(setting.data.inputs(setting.data.x_train).float())
    assert len(run.networks) == 2
    assert (z.argmax(1) == setting.data.y_train).float().mean().item() == pytest.approx(
        run.curves.correct[-1].mean(), abs=0.02
    )
