"""Scores and pairs by other measures than correctness, from the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from memtail_core.running import loading
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture
def margins(trained: Trained) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Subsets, bool [40, 300], and margins of the training and the test examples."""
    trials, _ = loading.load(trained.store, trained.study, values=True)
    subset = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(bool)
    assert trials.train_values is not None
    assert trials.test_values is not None
    return subset, trials.train_values.astype(float), trials.test_values.astype(float)


@pytest.mark.parametrize("measure", ["probability", "margin"])
def test_scores_by_a_measure_have_its_name(
    memtail: Memtail,
    trained: Trained,
    margins: tuple[np.ndarray, np.ndarray, np.ndarray],
    measure: str,
) -> None:
    store = ("--store", str(trained.folder))
    result = memtail("scores", "digits", *store, "--measure", measure, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    subset, values, _ = margins
    outcome = 1 / (1 + np.exp(-values)) if measure == "probability" else values
    for i in (0, 17, 299):
        mean_in = outcome[subset[:, i], i].mean()
        mean_out = outcome[~subset[:, i], i].mean()
        assert rows[i][f"{measure}_in"] == pytest.approx(mean_in, rel=1e-5)
        assert rows[i][f"{measure}_out"] == pytest.approx(mean_out, rel=1e-5)
        assert rows[i]["memorization"] == pytest.approx(mean_in - mean_out, abs=1e-6)
    assert "accuracy_in" not in rows[0]


def test_the_default_is_correctness(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    plain = memtail("scores", "digits", *store)
    assert memtail("scores", "digits", *store, "--measure", "correctness").stdout == plain.stdout
    assert "accuracy_in" in plain.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("scores", "--measure", "loss"), "--measure loss: the study keeps bits and the margin"),
        (("scores", "--measure", "accuracy"), "choose correctness or probability or margin"),
        (("scores", "--measure", "margin", "--calibrated"), "calibrated estimates correctness"),
        (
            ("pairs", "--measure", "margin", "--calibrated"),
            "--calibrated knows no --measure margin",
        ),
        (("pairs", "--measure", "margin", "--combined"), "--combined knows no --measure margin"),
        (("report", "--measure", "margin", "--estimator", "calibrated"), "calibrated estimates co"),
    ],
)
def test_what_knows_bits_alone_says_so(
    memtail: Memtail, trained: Trained, options: tuple[str, ...], message: str
) -> None:
    command, *rest = options
    assert message in refused(memtail(command, "digits", "--store", str(trained.folder), *rest))


def test_pairs_by_a_measure_are_those_of_its_matrix(
    memtail: Memtail,
    trained: Trained,
    margins: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    store = ("--store", str(trained.folder), "--any-class", "--min-memorization=-1")
    asked = ("--measure", "probability", "--min-influence", "0.3")
    result = memtail("pairs", "digits", *store, *asked, "--json", "--permutations", "2")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    subset, _, values = margins
    outcome = 1 / (1 + np.exp(-values))
    inside = subset.T @ outcome / subset.sum(axis=0)[:, None]
    influence = inside - (~subset).T @ outcome / (~subset).sum(axis=0)[:, None]
    expected = np.argwhere(influence >= 0.3)
    assert len(expected) > 3
    assert {(row["train_index"], row["test_index"]) for row in said["pairs"]} == {
        *map(tuple, expected.tolist())
    }
    assert {row["measure"] for row in said["pairs"]} == {said["measure"]} == {"probability"}
    assert len(said["found_with_permuted_trials"]) == 2
    harm = memtail("pairs", "digits", *store, *asked, "--harmful", "--json")
    worst = json.loads(harm.stdout)["pairs"][0]
    assert worst["influence"] == pytest.approx(influence.min(), abs=1e-5)
    assert worst["ci_low"] <= worst["influence"] <= worst["ci_high"]
    told = memtail("pairs", "digits", *store, *asked)
    assert "by influence on the mean probability of the label" in told.stdout


@pytest.mark.parametrize(("option", "index", "axis"), [("--train", 7, 0), ("--test", 5, 1)])
@pytest.mark.parametrize("harmful", [False, True])
def test_influence_of_one_example_is_a_difference_of_means(
    memtail: Memtail,
    trained: Trained,
    margins: tuple[np.ndarray, np.ndarray, np.ndarray],
    option: str,
    index: int,
    axis: int,
    harmful: bool,
) -> None:
    asked = (option, str(index), "--measure", "probability", "--top", "4", "--json")
    more = ("--harmful",) if harmful else ()
    result = memtail("influence", "digits", "--store", str(trained.folder), *asked, *more)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    subset, _, values = margins
    outcome = 1 / (1 + np.exp(-values))
    inside = subset.T @ outcome / subset.sum(axis=0)[:, None]
    influence = inside - (~subset).T @ outcome / (~subset).sum(axis=0)[:, None]
    expected = np.sort(influence.take(index, axis=axis))
    expected = expected[:4] if harmful else expected[:-5:-1]
    assert [row["influence"] for row in rows] == pytest.approx(expected, abs=1e-5)
    for row in rows:
        at = influence[row["train_index"], row["test_index"]]
        assert row["influence"] == pytest.approx(at, abs=1e-5)
        assert row["measure"] == "probability"
        assert row["ci_low"] <= row["influence"] <= row["ci_high"]
    refusal = refused(
        memtail("influence", "digits", "--store", str(trained.folder), "--by-class", *asked[2:4])
    )
    assert "--by-class knows no --measure probability" in refusal


def test_a_report_says_by_which_measure(memtail: Memtail, trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "copy")
    store = ("--store", str(tmp_path / "copy"))
    said = memtail("report", "digits", *store, "--measure", "probability")
    assert said.exit_code == 0, said.output
    assert "measure: probability, averaged over models" in said.stdout
    folder = next((tmp_path / "copy").rglob("summary.json")).parent
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["memorization"]["measure"] == "probability"
    assert "The measure of this report is probability" in next(folder.glob("*.html")).read_text()
    table = pyarrow.parquet.read_table(folder / "scores.parquet")
    assert {"probability_in", "probability_out"} <= set(table.column_names)
    refusal = refused(memtail("report", "digits", *store, "--measure", "margin"))
    assert "a report shows shares, from 0 to 1, and no margin" in refusal
