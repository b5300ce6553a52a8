"""Data values of a trained study, and what the section says of simulated ones."""

from dataclasses import replace

import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.experiments.values.plan import mean_outcomes, values
from memtail_core.experiments.values.result import Values
from memtail_core.experiments.values.section import section
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained


@pytest.fixture(scope="module")
def trials(trained: Trained) -> Trials:
    """The 40 trials of the shared study, with margins."""
    return loading.load(FilesStore(trained.folder), trained.study, values=True)[0]


@pytest.fixture(scope="module")
def planted(trained: Trained, trials: Trials) -> Values:
    """Models with example 5 get almost nothing right, those with example 9 most."""
    rng = np.random.default_rng(0)
    inside = np.unpackbits(trials.subset, axis=1, count=300).astype(bool)
    rate = 0.5 - 0.4 * inside[:, 5] + 0.4 * inside[:, 9]
    correct = rng.random((40, 100)) < rate[:, None]
    simulated = replace(trials, test_correct=np.packbits(correct, axis=1))
    return values(trained.study, simulated, trained.dataset)


def test_values_are_mean_influence(trained: Trained, trials: Trials) -> None:
    """300 examples, 10 models a block, a ratio of 0.7: every example has the same quota."""
    result = values(trained.study, trials, trained.dataset)
    inside = np.unpackbits(trials.subset, axis=1, count=300).astype(bool)
    correct = np.unpackbits(trials.test_correct, axis=1, count=100).astype(float)
    assert trials.test_values is not None
    margin = trials.test_values.astype(float)
    tests = {"accuracy": correct, "probability": 1 / (1 + np.exp(-margin)), "margin": margin}
    assert [each.outcome for each in result.measures] == list(tests)
    for each, outcome in zip(result.measures, tests.values(), strict=True):
        for i in (0, 7, 299):
            influence = outcome[inside[:, i]].mean(axis=0) - outcome[~inside[:, i]].mean(axis=0)
            assert each.value[i] == pytest.approx(influence.mean(), abs=1e-8)
        assert np.sum(each.value) == pytest.approx(0, abs=1e-5)
    train_correct = np.unpackbits(trials.train_correct, axis=1, count=300)
    assert result.held_out[7] == pytest.approx(train_correct[~inside[:, 7], 7].mean(), abs=1e-5)


def test_the_harmful_and_the_helpful_are_found(trained: Trained, planted: Values) -> None:
    effect = np.array(planted.effect)
    assert np.flatnonzero(effect < 0).tolist() == [5]
    assert np.flatnonzero(effect > 0).tolist() == [9]
    made = section(planted, trained.dataset)
    table = made.table.to_pylist()
    assert (table[0]["index"], table[0]["effect"]) == (5, "harmful")
    assert (table[-1]["index"], table[-1]["effect"]) == (9, "helpful")
    assert table[0]["accuracy_ci_low"] < -0.4 < table[0]["accuracy_ci_high"]
    assert made.galleries[0].examples[0].index == 5
    assert made.galleries[1].examples[0].index == 9
    c = trained.dataset.y_train[5]
    assert planted.by_class[c].harmful == 1
    assert sum(each.examples for each in planted.by_class) == planted.examples == 300
    assert "1 are found to be harmful" in made.findings[0]
    assert set(made.figures) == {"values"}


def test_another_outcome_decides(trained: Trained, trials: Trials) -> None:
    assert trials.test_values is not None
    inside = np.unpackbits(trials.subset, axis=1, count=300).astype(bool)
    raised = trials.test_values + np.float16(8) * inside[:, [3]]
    result = values(
        trained.study, replace(trials, test_values=raised), trained.dataset, by="margin", fdr=0.01
    )
    assert [each.outcome for each in result.measures] == ["margin", "accuracy", "probability"]
    assert np.flatnonzero(result.effect).tolist() == [3]
    assert "+" in section(result, trained.dataset).findings[2]


def test_trials_of_no_block_in_common_are_independent(trained: Trained, trials: Trials) -> None:
    """An unfinished study may have parts of blocks."""
    some = trials.taken(np.r_[0:13, 20:40])
    result = values(trained.study, some, trained.dataset)
    assert result.trials == 33
    assert result.examples == 300
    np.testing.assert_allclose(mean_outcomes(some)["accuracy"], some.accuracies().test)


def test_what_cannot_be_valued_is_said(trained: Trained, trials: Trials) -> None:
    with pytest.raises(EstimationError, match=r"9 models of .* at least 10 are needed"):
        values(trained.study, trials.taken(np.arange(9)), trained.dataset)
    with pytest.raises(EstimationError, match="keeps no margins: value by --outcome accuracy"):
        values(trained.study, trials.without_values(), trained.dataset, by="margin")
    same = replace(trials, test_correct=np.zeros_like(trials.test_correct)).without_values()
    result = values(trained.study, same, trained.dataset)
    assert set(result.effect) == {0}
    made = section(result, trained.dataset)
    assert made.findings == [
        "All models have the same test accuracy: nothing is to be learned about single examples."
    ]
    assert made.galleries == []
    Values.model_validate_json(result.model_dump_json())
