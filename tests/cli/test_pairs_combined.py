"""``memtail pairs --combined``: what it lists, and what it refuses."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Memtail
from tests.conftest import Trained


@pytest.fixture(autouse=True)
def _store(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")


@pytest.mark.slow
def test_pairs_have_intervals_and_rates(memtail: Memtail, trained: Trained) -> None:
    asked = ("--combined", "--runs", "2", "--min-influence", "0.02")
    found = json.loads(memtail("pairs", "digits", *asked, "--json").stdout)
    rows = found["pairs"]
    assert (found["trials"], found["runs"]) == (len(trained.trials), 2)
    assert 0 < found["found"] == len(rows) <= found["tested"]
    for row in rows:
        assert row["influence"] >= 0.02 - 1e-6
        assert row["ci_low"] < row["influence"] < row["ci_high"]
        assert row["q_value"] <= row["false_sign_rate"] + 1e-9 <= 0.5 + 1e-9
        assert row["memorization"] >= 0.25 - 1e-9
        assert row["train_label"] == row["test_label"]
    sure = json.loads(memtail("pairs", "digits", *asked, "--fdr", "0.01", "--json").stdout)
    assert [r for r in rows if r["q_value"] <= 0.01] == sure["pairs"]
    harm = json.loads(memtail("pairs", "digits", *asked, "--harmful", "--json").stdout)["pairs"]
    assert all(row["influence"] <= -0.02 + 1e-6 for row in harm)
    result = memtail("pairs", "digits", *asked, "--any-class", "--top", "3", "-o", "pairs.csv")
    assert result.exit_code == 0, result.output
    assert len(list(csv.DictReader(Path("pairs.csv").read_text().splitlines()))) == 3
    printed = memtail("pairs", "digits", *asked)
    assert "the gradients of 2 networks" in printed.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--combined", "--permutations", "3"), "--permutations does not go with --combined"),
        (("--combined", "--memory", "1GB"), "--memory does not go with --combined"),
        (("--combined", "--calibrated"), "not both"),
        (("--runs", "3"), "--runs goes with --combined"),
    ],
)
def test_what_does_not_go_together_is_refused(
    memtail: Memtail, options: tuple[str, ...], said: str
) -> None:
    result = memtail("pairs", "digits", *options)
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
