"""What a measure makes of a stored value, and which measures a study has."""

import numpy as np
import pytest
from scipy.special import logit

from memtail_core.errors import EstimationError
from memtail_core.estimation.measures import (
    ACCURACY,
    CORRECTNESS,
    LIKELIHOOD,
    LOG_LIKELIHOOD,
    MARGIN,
    MEASURES,
    PROBABILITY,
    Measure,
    measure_named,
    measures_of,
)

VALUES = np.array([[-100, -2.5, 0.0, 0.125, 12.0, 100.0]], np.float16)


def test_a_probability_is_that_of_the_margin() -> None:
    found = PROBABILITY.of(VALUES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, 1 / (1 + np.exp(-VALUES.astype(float))), rtol=1e-6, atol=1e-40
    )
    np.testing.assert_allclose(logit(found[0, 1:4].astype(float)), VALUES[0, 1:4], atol=1e-6)


@pytest.mark.parametrize("measure", [MARGIN, ACCURACY, LOG_LIKELIHOOD])
def test_other_values_are_taken_as_they_are(measure: Measure) -> None:
    assert MEASURES[measure.name] is measure
    assert measure.of(VALUES).tolist() == VALUES.astype(np.float32).tolist()


@pytest.mark.parametrize("measure", MEASURES.values(), ids=lambda each: each.name)
def test_the_table_holds_what_each_value_becomes(measure: Measure) -> None:
    table = measure.table()
    assert table[VALUES.view(np.uint16)].tolist() == measure.of(VALUES).tolist()


def test_the_likelihood_is_that_of_the_logarithm() -> None:
    values = np.array([-100, -2.5, -0.125, 0], np.float16)
    np.testing.assert_allclose(
        LIKELIHOOD.of(values), np.e ** values.astype(float), rtol=1e-6, atol=1e-40
    )
    assert LIKELIHOOD.is_share


def test_a_study_has_the_measures_of_its_value_the_default_first() -> None:
    assert measures_of(None) == (CORRECTNESS,)
    assert measures_of("margin") == (CORRECTNESS, PROBABILITY, MARGIN)
    assert measures_of("token_accuracy") == (ACCURACY, CORRECTNESS)
    assert measures_of("log_likelihood") == (LIKELIHOOD, CORRECTNESS, LOG_LIKELIHOOD)
    assert measure_named(None, "margin") is CORRECTNESS
    assert measure_named(None, "token_accuracy") is ACCURACY
    assert measure_named("margin", "margin") is MARGIN


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("probability", None, "keeps only bits; choose correctness"),
        ("accuracy", "margin", "bits and the margin; choose correctness or probability or margin"),
        ("margin", "token_accuracy", "bits and the token accuracy; choose accuracy or correct"),
        ("loss", "margin", "--measure loss: the study keeps"),
    ],
)
def test_other_measures_are_refused(name: str, value: str | None, message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        measure_named(name, value)


def test_margins_count_from_where_a_probability_of_a_half_would() -> None:
    for theirs, mine in (
        (PROBABILITY.theta_mem, MARGIN.theta_mem),
        (PROBABILITY.theta_infl, MARGIN.theta_infl),
    ):
        step = PROBABILITY.transform(np.array([-mine / 2, mine / 2], np.float32))
        assert float(step[1] - step[0]) == pytest.approx(theirs, rel=0.03)
