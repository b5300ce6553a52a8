"""``memtail scores --calibrated``: three more columns, and what they say."""

import json

import numpy as np

from memtail_core.analysis.observations import context
from tests.cli.conftest import Memtail
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
