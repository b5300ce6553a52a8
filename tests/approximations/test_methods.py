"""Every approximation meets the contract."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from memtail_core.approximations import INFLUENCE_METHODS, METHODS, InfluenceMethod, Run, named
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.training import Outcome
from memtail_core.training.gradient.networks import MLP
from tests.approximations.contract import MethodContract, only
from tests.training.outcome_contract import RightOrWrong


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
class TestMethods(MethodContract):
    pass


@pytest.mark.parametrize("method", INFLUENCE_METHODS, ids=lambda method: method.name)
class TestInfluenceMethods:
    def test_blocks_are_parts_of_one_matrix(
        self, method: InfluenceMethod, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        block = method.between(dataset, [only(run, method.reads) for run in runs])
        train, test = np.arange(len(dataset.y_train)), np.arange(len(dataset.y_test))
        whole = block(train, test)
        assert whole.shape == (300, 100)
        assert whole.dtype == np.float32
        assert np.isfinite(whole).all()
        some, others = train[[5, 3, 270]], test[[7, 99]]
        np.testing.assert_allclose(
            block(some, others), whole[np.ix_(some, others)], rtol=1e-4, atol=1e-6
        )

    def test_an_examples_copy_is_what_it_rests_on(
        self, method: InfluenceMethod, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        """Of all the training examples of one class, likeness counts: same class beats others."""
        whole = method.between(dataset, runs)(np.arange(300), np.arange(100))
        is_same = dataset.y_train[:, None] == dataset.y_test
        assert whole[is_same].mean() > whole[~is_same].mean()


def test_names_are_unique_and_found() -> None:
    chosen = named([])
    assert len(set(chosen.names)) == len(chosen) == len(METHODS) + len(INFLUENCE_METHODS)
    assert named(["all"]).names == chosen.names
    assert named(["forgetting", "confidence"]).names == ["confidence", "forgetting"]
    assert not named(["input-neighbours"]).trains
    with pytest.raises(EstimationError, match=r"did you mean 'forgetting'\?"):
        named(["forgeting"])


class Regression(MLP):
    """A network whose output is compared with its target in another way."""

    outcome: ClassVar[Outcome] = RightOrWrong()


def test_methods_that_read_curves_are_for_classifiers(dataset: Dataset) -> None:
    chosen, left_out = named(["confidence", "input-neighbours"]).applicable(Regression(), dataset)
    assert chosen.names == ["input-neighbours"]
    assert left_out == {"the networks of 'mlp' are not classifiers": ["confidence"]}
