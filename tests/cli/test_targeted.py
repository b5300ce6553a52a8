"""A targeted study from the command line: only its candidates have scores, and all else follows."""

import json
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.cli.conftest import Memtail, refused

STUDY = """
[study]
trials = 40
[dataset]
source = "sklearn:digits"
train_limit = 300
test_limit = 100
[subsets]
candidates = "odd.csv"
[training]
recipe = "mlp"
widths = [32]
epochs = 20
"""
CANDIDATES = list(range(0, 300, 6))


@pytest.fixture
def targeted(memtail: Memtail) -> str:
    Path("odd.csv").write_text("index\n" + "\n".join(map(str, CANDIDATES)))
    Path("few.toml").write_text(STUDY)
    return "few.toml"


def test_only_candidates_are_left_out_and_scored(memtail: Memtail, targeted: str) -> None:
    ran = memtail("run", targeted, "--workers", "1")
    plan = "each on 285 examples (balanced subsets of 50 candidates; all other examples are in"
    assert plan in " ".join(ran.stderr.split())
    assert "of 50 scored training examples" in ran.stdout
    assert "have no score" not in ran.output, "nothing is missing"
    folder = next(Path("runs/studies").iterdir()) / "report"
    scores = pyarrow.parquet.read_table(folder / "scores.parquet")
    memorization = scores["memorization"].to_numpy()
    assert np.flatnonzero(~np.isnan(memorization)).tolist() == CANDIDATES
    assert set(scores["n_out"].to_numpy()[CANDIDATES].tolist()) == {12}
    summary = json.loads((folder / "summary.json").read_text())["memorization"]
    expected = {"missing": 0, "scored": 50, "examples": 300, "candidates": 50}
    assert summary | expected == summary
    assert summary["held_out_trials"] == [12, 12]
    pairs = pyarrow.parquet.read_table(folder / "pairs.parquet")["train_index"].to_pylist()
    assert set(pairs) <= set(CANDIDATES)

    groups = json.loads(memtail("subgroups", "few", "--json").stdout)
    assert sum(groups["counts"].values()) == 50
    assert {member["index"] for member in groups["members"]} <= set(CANDIDATES)
    done = memtail("scores", "few", "--calibrated", "-o", "calibrated.csv")
    assert done.exit_code == 0, done.output
    calibrated = pyarrow.csv.read_csv("calibrated.csv")["calibrated"].to_numpy(zero_copy_only=False)
    assert np.flatnonzero(~np.isnan(calibrated.astype(float))).tolist() == CANDIDATES


@pytest.mark.slow
def test_every_command_takes_it(memtail: Memtail, targeted: str) -> None:
    memtail("run", targeted, "--workers", "1")
    for command in (
        "scores", "pairs", "pairs --combined --runs 1", "pairs --calibrated", "stability",
        "subgroups", "values", "datamodels", "privacy", "judge STUDY counted-margins",
        "removal --repeats 2 --thresholds 0.25", "approximate --evaluate", "report", "status",
        "export --to npz --output out.npz",
    ):  # fmt: skip
        name, *options = command.split()
        options = [option for option in options if option != "STUDY"]
        done = memtail(name, "few", *options)
        assert done.exit_code in (0, 2), f"{command}: {done.output}"
        if done.exit_code == 2:
            assert refused(done)
        assert "nan" not in done.stdout, command


def test_the_highest_of_an_approximation_are_candidates(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY.replace('candidates = "odd.csv"', ""))
    chosen = ("--method", "input-neighbours", "--highest", "20", "-o", "odd.csv")
    done = memtail("approximate", "odd.toml", *chosen)
    assert done.exit_code == 0, done.output
    table = pyarrow.csv.read_csv("odd.csv")
    scores = table["input_neighbours"].to_numpy()
    assert len(scores) == 20
    assert (np.diff(scores) <= 0).all()
    Path("few.toml").write_text(STUDY)
    plan = memtail("run", "few.toml", "--dry-run", "--json")
    assert json.loads(plan.stdout)["trials"] == 40
    for lacking in (("--highest", "20"), ("--highest", "20", "-o", "odd.csv")):
        assert "add one --method" in memtail("approximate", "odd.toml", *lacking).output
