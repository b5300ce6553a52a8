"""The benchmark of few trials: what it says of estimates whose error is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import efficiency
from memtail_core.estimation import memorization
from memtail_core.running import execution, preparation
from memtail_core.store import open_store
from memtail_core.study import Spec
from tests.benchmarks.test_benchmarks import STUDY


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("store")
    (folder / "small.toml").write_text(STUDY + '[study]\nname = "small"\n')
    study, dataset = preparation.prepare(Spec.load(str(folder / "small.toml")))
    execution.run(study, open_store(str(folder / "runs")), dataset, 60)
    return str(folder / "runs")


def ran(*arguments: str) -> list[dict[str, float]]:
    done = CliRunner().invoke(efficiency.main, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_both_estimates_are_measured_against_the_other_trials(store: str) -> None:
    one, five = ran("trials", "small", "--store", store, "--counts", "1,5", "--draws", "2")
    assert one["what"] == "RMSE, small, 1 trials"
    assert one["their_pearson"] is None
    assert one["their_with_an_estimate"] == 0
    assert (one["reference_trials"], five["reference_trials"]) == (59, 55)
    assert five["draws"] == 2
    assert five["ratio"] == pytest.approx(five["theirs"] / five["ours"])
    assert five["ours"] < five["theirs"]
    assert 0.8 < five["our_covered"] <= 1
    assert five["our_rmse_sd"] > 0


def test_pairs_of_few_trials_are_measured_against_those_of_the_others(store: str) -> None:
    asked = ("--counts", "10", "--draws", "2", "--runs", "2")
    (found,) = ran("pairs", "small", "--store", store, *asked)
    assert found["what"] == "share of the reference's pairs found, small, 10 trials"
    assert (found["draws"], found["reference_trials"]) == (2, 48)  # without the two with gradients
    assert found["reference_pairs"] > 0
    for whose in ("our", "combined", "their"):
        assert 0 <= found[f"{whose}_found"] <= found[f"{whose}_among_ten_times"] <= 1
    assert found["our_rmse"] < found["their_rmse"]
    assert 0.8 < found["combined_covered"] <= 1


def test_wrong_labels_that_were_planted_are_looked_for(store: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "planted.truth.npz", flipped=np.arange(12), n=250)
    planted = str(tmp_path / "planted.npz")
    (found,) = ran("noise", "small", planted, "--store", store, "--counts", "3", "--draws", "1")
    assert found["what"] == "AUROC of 12 wrong labels, small, 3 trials"
    assert 0 <= found["ours"] <= 1


def test_the_references_noise_is_taken_out() -> None:
    """Another set of as many trials errs by its own noise alone, and the truth not at all."""
    rng = np.random.default_rng(0)
    n, t = 4000, 200
    inside, p_out = rng.random((2 * t, n)) < 0.7, rng.random(n)
    correct = rng.random((2 * t, n)) < np.where(inside, 0.98, p_out)
    one, other = (
        memorization(np.packbits(inside[r], axis=1), np.packbits(correct[r], axis=1), n)
        for r in (slice(t), slice(t, 2 * t))
    )
    found = efficiency.judged(one, other)
    true_error = np.sqrt(((one.memorization - (0.98 - p_out)) ** 2).mean())
    assert found["rmse"] == pytest.approx(true_error, rel=0.1)
    expected = np.corrcoef(one.memorization, 0.98 - p_out)[0, 1]
    assert found["pearson"] == pytest.approx(expected, abs=0.01)
    assert found["covered"] == pytest.approx(0.95, abs=0.02)


def test_a_study_with_too_few_trials_is_refused_in_one_line(store: str) -> None:
    done = CliRunner().invoke(
        efficiency.main, ["trials", "small", "--store", store, "--counts", "40"]
    )
    assert "too few to draw 40: train more" in str(done.exception)


def test_time_is_measured_on_data_of_any_size() -> None:
    (found,) = ran("time", "--train", "300", "--trials", "3", "--inputs", "20")
    assert found["what"] == "CPU seconds, 300 examples, 3 trials"
    assert found["ours"] > 0
