"""Every registered estimator keeps the contract; the registry names them."""

from collections.abc import Callable

import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.estimation import memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Context, Estimator, Observations
from memtail_core.estimation.estimators import ESTIMATORS, estimator_named
from tests.estimation.estimator_contract import CONTRACT, observed


@pytest.mark.parametrize("assertion", CONTRACT, ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_contract(name: str, assertion: Callable[[Estimator], None]) -> None:
    assertion(ESTIMATORS[name])


def test_estimators_are_found_by_their_names() -> None:
    assert set(ESTIMATORS) == {"counted", "calibrated"}
    assert all(estimator_named(name).name == name for name in ESTIMATORS)
    with pytest.raises(EstimationError, match="no estimator 'guessed': choose counted or cal"):
        estimator_named("guessed")


def test_counted_is_the_papers_estimate() -> None:
    seen = observed(9)
    expected = memorization(seen.subset, seen.correct, seen.n)
    found = COUNTED.memorization(seen)
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values)


def test_the_context_is_computed_once_and_only_when_asked_for() -> None:
    calls = []

    def find() -> Context:
        calls.append(1)
        return Context(np.zeros((3, 1), np.int64), np.zeros((3, 1)), np.zeros((3, 1)))

    packed = np.array([[0b10100000]], np.uint8)
    seen = Observations(packed, packed, 3, np.zeros(3, np.int64), find_context=find)
    COUNTED.memorization(seen)
    assert not calls
    assert seen.context is seen.context
    assert len(calls) == 1
