"""``memtail pairs --calibrated``: what it lists, and what it refuses."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained

COLUMNS = [
    "train_index",
    "test_index",
    "calibrated",
    "influence",
    "standard_error",
    "memorization",
    "train_label",
    "test_label",
    "train_class",
    "test_class",
    "train_name",
    "test_name",
]
LOW = ("--calibrated", "--min-influence", "0.02")


def test_pairs_are_listed_by_calibrated_influence(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    found = json.loads(memtail("pairs", "digits", *store, *LOW, "--json").stdout)
    rows = found["pairs"]
    assert rows
    assert found["found"] == len(rows) <= found["candidates"]
    assert found["trials"] == len(trained.trials)
    assert list(rows[0]) == COLUMNS
    values = [row["calibrated"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert min(values) >= 0.02 - 1e-9
    trials = trained.trials
    member = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(bool)
    correct = np.unpackbits(trials.test_correct, axis=1, count=trials.n_test)
    for row in rows[:20]:
        assert row["train_label"] == row["test_label"]
        assert row["memorization"] >= 0.25 - 1e-9
        held_in, right = member[:, row["train_index"]], correct[:, row["test_index"]]
        if held_in.any() and not held_in.all():
            counted = right[held_in].mean() - right[~held_in].mean()
            assert row["influence"] == pytest.approx(counted, abs=1e-6)
        else:
            assert row["influence"] is None


@pytest.mark.slow
def test_they_can_be_chosen_and_written(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    every = json.loads(memtail("pairs", "digits", *store, *LOW, "--json").stdout)["pairs"]
    one = every[0]["test_index"]
    some = memtail("pairs", "digits", *store, *LOW, "--test", str(one), "--json", "--top", "1")
    assert json.loads(some.stdout)["pairs"] == every[:1]
    result = memtail("pairs", "digits", *store, *LOW, "-o", "pairs.csv")
    assert result.exit_code == 0, result.output
    written = list(csv.DictReader(Path("pairs.csv").read_text().splitlines()))
    assert list(written[0]) == COLUMNS
    assert len(written) == len(every)
    shown = memtail("pairs", "digits", *store, *LOW)
    assert f"{len(every)} pairs of" in shown.stdout
    assert f"{every[0]['calibrated']:.2f}" in shown.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--fdr", "0.05"),
        ("--permutations", "3"),
        ("--harmful",),
        ("--any-class",),
        ("--memory", "1GB"),
        ("--device", "cpu"),
    ],
)
def test_what_it_has_no_meaning_for_is_refused(
    memtail: Memtail, trained: Trained, options: tuple[str, ...]
) -> None:
    store = ("--store", str(trained.folder))
    result = memtail("pairs", "digits", *store, "--calibrated", *options)
    assert result.exit_code == 2
    assert result.stderr.count("Error:") == 1
    assert f"{options[0]} does not go with --calibrated: it" in result.stderr.splitlines()[-1]


def test_an_example_that_is_not_there_is_refused(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    result = memtail("pairs", "digits", *store, "--calibrated", "--train", "99999999")
    assert "there is no training example 99999999" in refused(result)


def test_too_many_candidates_are_refused(
    memtail: Memtail, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memtail_core.analysis.calibrated_pairs.MOST_CANDIDATES", 3)
    result = memtail("pairs", "digits", "--store", str(trained.folder), "--calibrated")
    assert "raise --min-memorization" in refused(result)
