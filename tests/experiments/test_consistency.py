"""Consistency of simulated trials whose rates are known."""

import numpy as np
import pytest

from memtail_core.errors import StudyError
from memtail_core.experiments.consistency import section as consistency
from memtail_core.experiments.consistency.plan import HeldOutAccuracy, analyse, mean, study_at
from memtail_core.running.trials import Trials
from tests.conftest import Trained


def simulated(rates: np.ndarray, ratio: float, n_trials: int, seed: int) -> Trials:
    """Trials that get example i right at ``rates`` i where it was held out, and always else."""
    rng = np.random.default_rng(seed)
    n = len(rates)
    subset = rng.random((n_trials, n)) < ratio
    correct = subset | (rng.random((n_trials, n)) < rates)
    return Trials(
        n=n,
        n_test=1,
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(correct, axis=1),
        test_correct=np.zeros((n_trials, 1), np.uint8),
        train_values=None,
        test_values=None,
        trials=np.arange(n_trials),
        seconds=np.ones(n_trials),
        about=(),
    )


def test_it_is_accuracy_where_held_out() -> None:
    trials = simulated(np.random.default_rng(0).random(11), 0.5, 60, 1)
    found = HeldOutAccuracy.of(trials)
    subset = np.unpackbits(trials.subset, axis=1, count=11).astype(bool)
    correct = np.unpackbits(trials.train_correct, axis=1, count=11).astype(bool)
    for i in range(11):
        held_out = correct[~subset[:, i], i]
        assert found.value[i] == pytest.approx(held_out.mean())
        p, n = (held_out.sum() + 1) / (len(held_out) + 2), len(held_out) + 2
        assert found.error[i] == pytest.approx((p * (1 - p) / n) ** 0.5)


def test_errors_hold_what_they_say() -> None:
    """Two standard errors around the mean over ratios hold the truth as often as they should."""
    rng = np.random.default_rng(2)
    rates = np.sort(rng.random((3, 400)), axis=0)
    each = [
        HeldOutAccuracy.of(simulated(rate, ratio, 80, seed))
        for seed, (rate, ratio) in enumerate(zip(rates, (0.2, 0.5, 0.8), strict=True))
    ]
    whole = mean(each)
    held = np.abs(whole.value - rates.mean(axis=0)) <= 1.96 * whole.error
    assert 0.92 < held.mean() < 0.99
    never = mean([*each, HeldOutAccuracy(np.full(400, np.nan), np.full(400, np.nan))])
    assert np.isnan(never.value).all()


def test_an_example_that_was_never_held_out_has_none() -> None:
    trials = simulated(np.zeros(3), 1.0, 5, 0)
    assert np.isnan(HeldOutAccuracy.of(trials).value).all()
    assert np.isnan(HeldOutAccuracy.of(trials).error).all()


def test_only_the_ratio_differs(trained: Trained) -> None:
    other = study_at(trained.study, 0.125)
    assert other.name == "digits-ratio-12-5"
    assert other.subset_size == round(0.125 * 300)
    assert other.differences(trained.study)[0].startswith("name:")
    assert [each.split(":")[0] for each in other.differences(trained.study)] == [
        "name",
        "subsets.ratio",
    ]
    assert study_at(trained.study, 0.7) is trained.study
    long = trained.study.model_copy(update={"name": "a" * 40})
    assert len(study_at(long, 0.3).name) == 40
    with pytest.raises(StudyError, match="is a subset of 0"):
        study_at(trained.study, 0.001)


def test_late_examples_and_groups_are_found(trained: Trained) -> None:
    n = trained.trials.n
    low, high = np.full(n, 0.9), np.full(n, 0.95)
    low[[3, 5]], high[[3, 5]] = 0.05, 0.95
    low[9], high[9] = 0.0, 0.0
    models = [
        (study_at(trained.study, ratio), simulated(rate, ratio, 100, seed))
        for seed, (ratio, rate) in enumerate(((0.3, low), (0.7, high)))
    ]
    found = analyse(trained.study, models[1][1], models)
    assert {each.index for each in found.late[:2]} == {3, 5}
    assert found.consistency[9] == 0
    assert found.error[9] is not None
    assert found.error[9] > 0, "a handful of models that agree are not certain"
    assert sum(group.examples for group in found.groups) == n
    assert found.groups[-1].consistency == [0.0, 0.0], "it is memorized: never right unseen"
    made = consistency.section(found, trained.dataset)
    assert [row[0] for row in made.summary.rows][-1] == "models"
    assert made.table.column_names[4:6] == ["at_0.3", "at_0.7"]
    assert made.galleries[0].examples[0].index == 9
    assert made.galleries[1].examples[0].index in (3, 5)
