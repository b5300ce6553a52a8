"""Scores and pairs by other measures than correctness, from the command line."""

import json

import numpy as np
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
    ],
)
def test_what_knows_bits_alone_says_so(
    memtail: Memtail, trained: Trained, options: tuple[str, ...], message: str
) -> None:
    command, *rest = options
    assert message in refused(memtail(command, "digits", "--store", str(trained.folder), *rest))
