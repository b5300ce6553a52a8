"""The benchmark of attribution methods: its scores are those that ``memtail judge`` gives."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core.estimation.datamodeling import datamodeling_score
from memtail_core.experiments.judge.named import counted
from memtail_core.experiments.judge.scores import Scores
from memtail_core.plan import designs
from memtail_core.running import loading
from memtail_core.running.matrices import included, outcomes
from memtail_core.store import FilesStore
from tests.benchmarks.test_benchmarks import ran
from tests.conftest import Trained


def whole(scores: Scores) -> NDArray[np.float32]:
    return np.concatenate([block for _, block in scores.blocks()])


def test_methods_are_judged_by_models_that_they_did_not_see(
    trained: Trained, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained.folder, tmp_path / "runs")
    asked = ("--only", "counted margins", "--only", "projected-gradients")
    sizes = ("--runs", "2", "--from-trials", "20")
    found = ran("attribution", trained.study.id, "--store", str(folder), *sizes, *asked)
    by_name = {each["what"].partition(",")[0]: each for each in found}
    assert by_name.keys() == {"counted margins", "projected-gradients"}
    assert [each["trainings"] for each in found] == [20, 2]
    for each in found:
        assert each["judging"] == 20
        assert -1 <= each["low"] < each["lds"] < each["high"] <= 1

    trials, _ = loading.load(FilesStore(folder), trained.study, values=True)
    making, judging = (trials.taken(np.arange(a, a + 20)) for a in (0, 20))
    scores = whole(counted("counted-margins", making))
    group = judging.trials // designs.block(trained.study)
    predicted = included(judging, 0, judging.n).astype(np.float32) @ scores
    expected = datamodeling_score(predicted, outcomes(judging, "margin"), group).mean()
    assert expected is not None
    assert by_name["counted margins"]["lds"] == pytest.approx(expected.value, abs=1e-4)

    few = ("--tests", "30", "--only", "counted margins", "--only", "projected-gradients")
    found = ran("attribution", trained.study.id, "--store", str(folder), *sizes, *few)
    some = np.sort(np.random.default_rng(0).permutation(trials.n_test)[:30])
    part = datamodeling_score(predicted[:, some], outcomes(judging, "margin")[:, some], group)
    mean = part.mean()
    assert mean is not None
    assert found[0]["tests"] == 30
    assert found[0]["lds"] == pytest.approx(mean.value, abs=1e-4)


def test_kept_scores_are_judged_again_and_not_computed_again(
    trained: Trained, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained.folder, tmp_path / "runs")
    asked = ("--runs", "2", "--from-trials", "20", "--only", "counted margins")
    where = ("--store", str(folder), "--keep", str(tmp_path / "kept"))
    (first,) = ran("attribution", trained.study.id, *asked, *where)
    (again,) = ran("attribution", trained.study.id, *asked, *where)
    assert again == first  # its seconds too
    (scores,) = (tmp_path / "kept").glob("*.npy")
    np.save(scores, -np.load(scores))
    (turned,) = ran("attribution", trained.study.id, *asked, *where)
    assert turned["lds"] == pytest.approx(-first["lds"])


def test_values_are_compared_with_what_was_planted(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from benchmarks import subgroups, values
    from cli.main import main

    file, store = str(tmp_path / "planted.npz"), ("--store", str(tmp_path / "runs"))
    small = ("--set", "dataset.train_limit=300", "--set", "dataset.test_limit=100")
    plant = ["plant", "digits", file, "--share", "0.1", *small]
    assert CliRunner().invoke(subgroups.main, plant).exit_code == 0
    study = tmp_path / "planted.toml"
    study.write_text(
        f'[dataset]\nsource = "npz:{file}"\n[training]\nrecipe = "mlp"\nwidths = [32]\n'
        'epochs = 20\n[subsets]\nratio = 0.5\n[study]\nname = "planted"\n'
    )
    ran_ = CliRunner().invoke(main, ["run", str(study), "--trials", "40", "--workers", "1", *store])
    assert ran_.exit_code == 0, ran_.output
    done = CliRunner().invoke(values.main, ["planted", file, *store], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output.count("auroc") == 4
    *_, oob = (float(line.split()[1]) for line in done.output.splitlines() if "auroc" in line)
    assert oob > 0.9


def test_a_targeted_study_is_compared_with_an_untargeted_one() -> None:
    small = ("--set", "dataset.train_limit=300", "--set", "dataset.test_limit=100")
    small += ("--set", "training.widths=[32]", "--set", "training.epochs=20")
    models = ("--trials", "20", "--draws", "1", "--reference", "40")
    chosen = ("--candidates", "40", "--method", "input-neighbours")
    told, targeted, untargeted = ran("targeted", "digits", *small, *models, *chosen)
    assert (told["candidates"], told["reference_models"]) == (40, 40)
    assert [each["study"] for each in (targeted, untargeted)] == ["targeted", "untargeted"]
    for each in (targeted, untargeted):
        assert 0 <= each["rmse"] < 0.5
        assert each["missing"] == 0
