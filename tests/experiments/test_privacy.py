"""The audit of simulated studies whose members are as easily told as was decided."""

import numpy as np
import pytest
from scipy.stats import norm

from memtail_core.errors import EstimationError
from memtail_core.estimation.membership import BASIC
from memtail_core.experiments.privacy import section as privacy
from memtail_core.experiments.privacy.plan import audit
from memtail_core.experiments.privacy.result import Privacy
from memtail_core.running.trials import Trials
from tests.conftest import Trained

OWN, POOLED, LOSS = (each.name for each in BASIC)


def simulated(distance: np.ndarray, n_trials: int, seed: int, level: float = 0.0) -> Trials:
    """Example i has margins around ``level`` ± 1, and ``distance`` i more where it was a member."""
    rng = np.random.default_rng(seed)
    n = len(distance)
    level_of = level * np.random.default_rng(99).normal(size=n)
    subset = rng.random((n_trials, n)) < 0.5
    margin = rng.normal(level_of + distance * subset, 1)
    return Trials(
        n=n,
        n_test=1,
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(margin > 0, axis=1),
        test_correct=np.zeros((n_trials, 1), np.uint8),
        train_values=margin.astype(np.float16),
        test_values=np.zeros((n_trials, 1), np.float16),
        trials=np.arange(n_trials),
        seconds=np.ones(n_trials),
        about=(),
    )


@pytest.fixture(scope="module")
def found(trained: Trained) -> Privacy:
    distance = np.repeat([0.0, 4.0], [150, 50])
    return audit(trained.study, simulated(distance, 200, 0, level=6.0))


def test_members_are_found_as_often_as_theory_says(found: Privacy) -> None:
    """A quarter has a distance of 4, where the ratio has a deviation of 4 around ± 8."""
    of = {each.name: each for each in found.attacks}
    for name in (OWN, POOLED):
        at = of[name].at[0]
        # the threshold at which a quarter of the others gives one in a thousand of all
        threshold = norm.isf(4 * 0.001, -8, 4)
        assert at.tpr == pytest.approx(norm.sf(threshold, 8, 4) / 4, abs=0.02)
        assert at.low < at.tpr < at.high
        auc = 0.5 * 15 / 16 + norm.cdf(4 / 2**0.5) / 16
        assert auc < of[name].auc < 0.75
    assert of[LOSS].at[0].tpr < 0.01, "levels differ by more than membership does"
    told = np.array(found.auc, float)
    assert told[:150].mean() == pytest.approx(0.5, abs=0.01)
    assert told[150:].mean() == pytest.approx(norm.cdf(4 / 2**0.5), abs=0.01)
    exposed = np.array(found.found, float)
    subset = simulated(np.repeat([0.0, 4.0], [150, 50]), 200, 0, level=6.0).subset
    n_in = np.unpackbits(subset, axis=1, count=200).sum(axis=0)
    share = np.average(exposed, weights=n_in)
    assert share == pytest.approx(of[OWN].at[0].tpr, abs=1e-5)


def test_errors_are_those_of_repeated_studies(trained: Trained) -> None:
    distance = np.repeat([0.0, 3.0], [30, 30])
    each = [audit(trained.study, simulated(distance, 80, seed)).attacks[0] for seed in range(40)]
    spread = np.std([one.auc for one in each], ddof=1)
    assert 0.7 < spread / np.mean([one.auc_error for one in each]) < 1.4
    spread = np.std([one.at[1].tpr for one in each], ddof=1)
    said = np.mean([(one.at[1].high - one.at[1].low) / (2 * 1.96) for one in each])
    assert 0.6 < spread / said < 1.5


def test_bins_hold_every_example_once(found: Privacy) -> None:
    assert sum(each.examples for each in found.bins) == found.examples == 200
    mem = np.array(found.memorization, float)
    assert [each.examples for each in found.bins] == [
        int(((mem >= low) & ((mem < high) | (high == 1))).sum())
        for low, high in ((-1, 0.05), (0.05, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1))
    ]
    share = np.array(found.found, float)[(mem >= 0.25) & (mem < 0.5)].mean()
    assert found.bins[2].found[0] == pytest.approx(share, abs=1e-5)


def test_few_models_are_judged_by_pooled_variances(trained: Trained) -> None:
    few = audit(trained.study, simulated(np.zeros(20), 40, 0))
    assert few.attack == POOLED
    assert few.attacks[1].at[1].tpr < 0.05, "nothing is to be told"


def test_what_cannot_be_attacked_is_said(trained: Trained) -> None:
    with pytest.raises(EstimationError, match="keeps no margins"):
        audit(trained.study, trained.trials)
    with pytest.raises(EstimationError, match="fewer than 3 models"):
        audit(trained.study, simulated(np.zeros(4), 4, 0))


def test_the_list_begins_with_the_most_exposed(trained: Trained) -> None:
    distance = np.zeros(trained.trials.n)
    distance[7] = 20.0
    audited = audit(trained.study, simulated(distance, 100, 0))
    made = privacy.section(audited, trained.dataset)
    assert made.table["index"][0].as_py() == 7
    assert made.galleries[0].examples[0].index == 7
    assert made.table.num_rows == trained.trials.n
    assert set(made.figures) == {"privacy", "privacy-examples"}
