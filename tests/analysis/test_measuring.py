"""Which measures a stored study has; a study of token accuracies is analysed by them."""

from dataclasses import replace

import numpy as np
import pytest

from memtail_core.analysis import analyse
from memtail_core.analysis.measuring import estimator_of, measure_of, value_of, with_values
from memtail_core.errors import EstimationError
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.measures import ACCURACY, CORRECTNESS, LIKELIHOOD, PROBABILITY
from memtail_core.report import tables
from memtail_core.study import DatasetIdentity
from memtail_core.training import Recipe
from memtail_core.training.gradient.gpt import GPT
from memtail_core.training.language import LOG_LIKELIHOOD
from memtail_core.training.registry import _BY_NAME, _BY_PREFIX
from tests.conftest import Trained


@pytest.mark.parametrize("recipe", [*_BY_NAME.values(), *_BY_PREFIX.values()])
def test_the_value_is_that_of_the_recipes_outcome(
    recipe: type[Recipe], trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatasetIdentity, "is_labelled", recipe.labelled)
    made = recipe.model_construct()
    assert made.outcome.value is not None
    assert value_of(trained.study) == made.outcome.value.name


def test_a_language_model_has_the_value_that_its_recipe_names(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatasetIdentity, "is_labelled", False)
    study = trained.study.model_copy(update={"training": GPT(value="log-likelihood").described()})
    assert LOG_LIKELIHOOD.value is not None
    assert value_of(study) == LOG_LIKELIHOOD.value.name
    assert measure_of(study) is LIKELIHOOD


def test_a_classifier_has_its_margins_and_is_counted(trained: Trained) -> None:
    study = trained.study
    assert value_of(study) == "margin"
    assert measure_of(study) is CORRECTNESS
    assert measure_of(study, "probability") is PROBABILITY
    assert estimator_of(study) is COUNTED
    assert with_values(trained.store, study, trained.trials) is trained.trials
    bits_alone = study.model_copy(update={"margins": False})
    assert value_of(bits_alone) is None
    with pytest.raises(EstimationError, match="the study keeps only bits"):
        measure_of(bits_alone, "probability")


def test_a_language_model_is_read_by_the_accuracy_of_its_tokens(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatasetIdentity, "is_labelled", False)
    study, rng = trained.study, np.random.default_rng(0)
    assert measure_of(study) is ACCURACY
    again = with_values(trained.store, study, trained.trials)
    assert again.train_values is not None
    with pytest.raises(EstimationError, match="--measure accuracy: the models have no values"):
        analyse(study, trained.dataset, trained.trials)
    inside = np.unpackbits(trained.trials.subset, axis=1, count=trained.trials.n)
    accuracy = 0.3 + 0.4 * inside + 0.1 * rng.random(inside.shape)
    trials = replace(
        trained.trials,
        train_values=accuracy.astype(np.float16),
        test_values=rng.random((40, trained.trials.n_test)).astype(np.float16),
    )
    found = analyse(study, trained.dataset, trials)
    assert found.measure is ACCURACY
    np.testing.assert_allclose(found.scores.memorization, 0.4, atol=0.06)
    assert found.n_memorized == trials.n
    assert found.summary()["memorization"]["measure"] == "accuracy"
    assert found.summary()["fit"]["held_in"] == pytest.approx(0.75, abs=0.01)
    assert not [warning for warning in found.warnings if "fit" in warning]
    assert "accuracy_in" in tables.scores_table(found).column_names
