"""``memtail scores --calibrated``: three more columns, and what they say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from memtail_core.analysis.observations import context
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


def test_calibrated_estimates_stand_beside_the_scores(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    plain = json.loads(memtail("scores", "digits", *store, "--json").stdout)
    rows = json.loads(memtail("scores", "digits", *store, "--json", "--calibrated").stdout)
    added = ["calibrated", "calibrated_low", "calibrated_high"]
    assert [{k: row[k] for k in row if k not in added} for row in rows] == plain
    at, low, high = (np.array([row[name] for row in rows]) for name in added)
    assert (low <= at).all()
    assert (at <= high).all()
    known = np.array([row["memorization"] is not None for row in rows])
    counted = np.array([row["memorization"] or 0 for row in rows])
    assert np.corrcoef(at[known], counted[known])[0, 1] > 0.5


@pytest.mark.slow
def test_recorded_models_tell_more(memtail: Memtail, trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    asked = ("scores", "digits", "--store", str(tmp_path / "runs"), "--json", "--calibrated")
    without = json.loads(memtail(*asked).stdout)
    rows = json.loads(memtail(*asked, "--runs", "2").stdout)
    assert [row["memorization"] for row in rows] == [row["memorization"] for row in without]
    one, two = (np.array([row["calibrated"] for row in each]) for each in (without, rows))
    assert (one != two).mean() > 0.9
    assert np.corrcoef(one, two)[0, 1] > 0.9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--runs", "2"), "--runs goes with --calibrated"),
        (("--calibrated", "--device", "cpu"), "--device goes with --runs"),
    ],
)
def test_options_without_their_meaning_are_refused(
    memtail: Memtail, options: tuple[str, ...], said: str
) -> None:
    result = memtail("scores", "digits", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_more_runs_than_models_are_refused(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    line = refused(memtail("scores", "digits", *store, "--calibrated", "--runs", "100"))
    assert f"--runs 100: the study has {len(trained.trials)} models stored" in line


@pytest.mark.slow
def test_recipes_without_networks_have_nothing_to_record(memtail: Memtail) -> None:
    Path("iris.toml").write_text(
        '[dataset]\nsource = "sklearn:iris"\n[training]\nrecipe = "linear"\n'
    )
    assert memtail("run", "iris.toml", "--trials", "3", "--workers", "1").exit_code == 0
    line = refused(memtail("scores", "iris.toml", "--calibrated", "--runs", "2"))
    assert "does not train networks by epochs and gradients" in line


def test_the_authors_files_have_no_place_for_them(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    result = memtail("scores", "digits", *store, "--calibrated", "-o", "scores.npz")
    assert result.exit_code == 2
    assert "npz has no place for --calibrated" in result.stderr


def test_what_is_known_without_trials_is_of_other_examples(trained: Trained) -> None:
    dataset = trained.dataset
    known = context(dataset)
    index, distance = known.neighbours, known.distances
    n = len(dataset.y_train)
    assert index.shape == distance.shape == (n, 50)
    assert (index != np.arange(n)[:, None]).all()
    assert (np.diff(distance, axis=1) >= 0).all()
    assert known.kernel_scores.shape == (n, 4)
    assert (known.kernel_scores[:, 2] > 0).mean() > 0.8
