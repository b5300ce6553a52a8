"""The contract of engines: subclass it and provide the fixtures ``engine`` and ``dataset``."""

from dataclasses import replace

import numpy as np
import pytest

from memtail_core.data import Dataset, InMemory
from memtail_core.training import Engine, Outcomes


def assert_same_bits(one: Outcomes, other: Outcomes, rows: slice = slice(None)) -> None:
    """Model by model, ``one`` equals ``other[rows]`` to the last bit."""
    names = ("train_correct", "test_correct", "train_value", "test_value", "train_probability")
    for name in names:
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None)
        if left is not None:
            assert left.tobytes() == right[rows].tobytes(), name


class EngineContract:
    """The contract suite."""

    def assert_same_models(self, one: Outcomes, other: Outcomes, rows: slice) -> None:
        """Models trained one at a time are the same to the last bit."""
        assert_same_bits(one, other, rows)

    @pytest.fixture(scope="class")
    def subsets(self, dataset: Dataset) -> np.ndarray:
        rng = np.random.default_rng(0)
        return rng.random((3, len(dataset.y_train))) < 0.7

    @pytest.fixture(scope="class")
    def seeds(self) -> np.ndarray:
        return np.array([11, 12, 2**62 + 1], dtype=np.int64)

    @pytest.fixture(scope="class")
    def together(
        self, engine: Engine, dataset: Dataset, subsets: np.ndarray, seeds: np.ndarray
    ) -> Outcomes:
        """Three models."""
        return engine.train(dataset, subsets, seeds)

    @pytest.fixture(scope="class")
    def alone(
        self, engine: Engine, dataset: Dataset, subsets: np.ndarray, seeds: np.ndarray
    ) -> Outcomes:
        """The second of them."""
        before = replace(dataset).sha256
        found = engine.train(dataset, subsets[1:2], seeds[1:2])
        assert replace(dataset).sha256 == before, "the data are left as they are"
        return found

    def test_shapes_and_dtypes(self, dataset: Dataset, together: Outcomes) -> None:
        n, n_test = len(dataset.y_train), len(dataset.y_test)
        assert (together.train_correct.shape, together.train_correct.dtype) == ((3, n), np.bool_)
        assert (together.test_correct.shape, together.test_correct.dtype) == ((3, n_test), np.bool_)
        assert together.seconds.shape == (3,)
        assert (together.seconds > 0).all()
        for margin, correct in (
            (together.train_value, together.train_correct),
            (together.test_value, together.test_correct),
        ):
            if margin is not None:
                assert margin.shape == correct.shape
                assert margin.dtype == np.float16
                assert np.isfinite(margin).all()
                self.assert_values(together.value, margin, correct)

    def assert_values(self, name: str | None, margin: np.ndarray, correct: np.ndarray) -> None:
        """The values mean what their name says."""
        assert name == "margin"
        assert np.abs(margin).max() <= 100
        assert correct[margin > 0.01].all(), "a margin > 0 is a probability > ½"

    def test_models_learn_what_they_are_shown(
        self, subsets: np.ndarray, together: Outcomes
    ) -> None:
        assert together.train_correct[subsets].mean() > 0.97
        assert together.test_correct.mean() > 0.7

    def test_training_again_gives_the_same_bits(
        self,
        engine: Engine,
        dataset: Dataset,
        subsets: np.ndarray,
        seeds: np.ndarray,
        together: Outcomes,
    ) -> None:
        assert_same_bits(engine.train(dataset, subsets, seeds), together)

    def test_a_model_depends_on_its_own_subset_and_seed_alone(
        self, together: Outcomes, alone: Outcomes
    ) -> None:
        self.assert_same_models(alone, together, slice(1, 2))

    def test_probabilities_are_those_whose_margins_are_measured(
        self,
        engine: Engine,
        dataset: Dataset,
        subsets: np.ndarray,
        seeds: np.ndarray,
        together: Outcomes,
    ) -> None:
        """They change nothing else, add up to 1, and that of the label is 1 / (1 + e^−margin)."""
        if together.value != "margin":
            pytest.skip("these outputs are no probabilities of classes")
        found = engine.train(dataset, subsets, seeds, probabilities=True)
        given = found.train_probability
        assert given is not None and together.train_probability is None
        assert_same_bits(replace(found, train_probability=None), together)
        assert (given.dtype, given.shape) == (np.float16, (*subsets.shape, len(dataset.classes)))
        p = given.astype(np.float64)
        np.testing.assert_allclose(p.sum(2), 1, atol=2e-3)
        own = np.take_along_axis(p, dataset.y_train[None, :, None], 2)[..., 0]
        margin = found.train_value.astype(np.float64)
        np.testing.assert_allclose(own, 1 / (1 + np.exp(-margin)), atol=4e-3)

    def test_held_out_labels_cannot_reach_a_model(
        self,
        engine: Engine,
        dataset: Dataset,
        subsets: np.ndarray,
        seeds: np.ndarray,
        alone: Outcomes,
    ) -> None:
        """Relabel everything held out: what the model says of every input must not change."""
        y, inside = dataset.y_train.copy(), subsets[1]
        y[~inside] = (y[~inside] + 1) % len(dataset.classes)
        relabelled = engine.train(replace(dataset, y_train=y), subsets[1:2], seeds[1:2])
        assert (alone.train_correct[0, inside] == relabelled.train_correct[0, inside]).all()
        assert alone.test_correct.tobytes() == relabelled.test_correct.tobytes()

    def test_pixels_held_out_cannot_reach_a_model_but_through_the_fixed_scaling(
        self,
        engine: Engine,
        dataset: Dataset,
        subsets: np.ndarray,
        seeds: np.ndarray,
        alone: Outcomes,
    ) -> None:
        """Swap two held-out examples: same scaling, same models."""
        x, y = dataset.train.whole().copy(), dataset.y_train.copy()
        i, j = np.flatnonzero(~subsets[1])[:2]
        x[[i, j]], y[[i, j]] = x[[j, i]], y[[j, i]]
        swapped = engine.train(
            replace(dataset, train=InMemory(x), y_train=y), subsets[1:2], seeds[1:2]
        )
        assert alone.test_correct.tobytes() == swapped.test_correct.tobytes()

    def test_a_subset_may_lack_a_class(self, engine: Engine, dataset: Dataset) -> None:
        subset = (dataset.y_train != 1)[None]
        found = engine.train(dataset, subset, np.array([3]))
        assert not found.train_correct[0, dataset.y_train == 1].any()
        assert found.train_correct[subset].mean() > 0.97
