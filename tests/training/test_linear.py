"""The recipe ``linear``: the contract, and that it is the logistic regression it says it is."""

from dataclasses import replace

import numpy as np
import pytest

from memtail_core import training
from memtail_core.data import Dataset, InMemory, load
from memtail_core.errors import TrainingError
from memtail_core.study import DatasetTable
from memtail_core.training import Engine, Outcomes
from memtail_core.training.linear.recipe import Linear
from tests.training.contract import EngineContract
from tests.training.test_engines import digits


class _Solved(EngineContract):
    def assert_same_models(self, one: Outcomes, other: Outcomes, rows: slice) -> None:
        """Up to rounding: correctness differs where the margin is next to 0, if at all."""
        for name in ("train", "test"):
            mine = getattr(one, f"{name}_value").astype(float)
            theirs = getattr(other, f"{name}_value")[rows].astype(float)
            np.testing.assert_allclose(mine, theirs, atol=1e-3, rtol=2e-3)
            same = getattr(one, f"{name}_correct") == getattr(other, f"{name}_correct")[rows]
            assert same[np.abs(mine) > 1e-3].all()


class TestImages(_Solved):
    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return digits()

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        return training.resolve({"recipe": "linear"}, dataset, 175).engine("cpu")


class TestFeatures(_Solved):
    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return load(DatasetTable(source="sklearn:wine"))

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        return training.resolve({"recipe": "linear"}, dataset, 100).engine("cpu")


def standardized(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    deviation = by.std(0)
    found: np.ndarray = (x - by.mean(0)) / np.where(deviation == 0, 1, deviation)
    return found


@pytest.mark.parametrize("standardize", [True, False])
def test_margins_are_those_of_scikit_learn(standardize: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    wine = load(DatasetTable(source="sklearn:wine"))
    flat = np.full((len(wine.train), 1), 3, np.float32)  # a constant column
    wine = replace(
        wine,
        train=InMemory(np.hstack([wine.train.whole(), flat])),
        test=InMemory(np.hstack([wine.test.whole(), flat[: len(wine.test)]])),
    )
    rng = np.random.default_rng(2)
    subsets = rng.random((4, len(wine.y_train))) < 0.7
    recipe = Linear(l2=0.01, tolerance=1e-6, standardize=standardize)
    found = recipe.engine("cpu").train(wine, subsets, np.arange(4))
    x, x_test = wine.train.whole().astype(float), wine.test.whole().astype(float)
    if standardize:
        x, x_test = standardized(x, x), standardized(x_test, x)
    for k, subset in enumerate(subsets):
        theirs = LogisticRegression(C=1 / (0.01 * subset.sum()), tol=1e-9, max_iter=100_000,
                                    solver="newton-cholesky")  # fmt: skip
        theirs.fit(x[subset], wine.y_train[subset])
        for examples, y, margin, correct in (
            (x, wine.y_train, found.train_value, found.train_correct),
            (x_test, wine.y_test, found.test_value, found.test_correct),
        ):
            assert margin is not None
            p = theirs.predict_proba(examples)[np.arange(len(y)), y]
            np.testing.assert_allclose(margin[k], np.log(p) - np.log1p(-p), atol=0.02, rtol=2e-3)
            assert (correct[k] == (theirs.predict(examples) == y)).all()


def test_data_are_made_ready_once_and_again_for_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    from memtail_core.training.linear import engine as linear

    made = []
    original = linear.ResidentData
    monkeypatch.setattr(linear, "ResidentData", lambda *a: made.append(a) or original(*a))
    data = digits()
    engine = Linear().engine("cpu")
    subsets = np.random.default_rng(0).random((2, 250)) < 0.7
    first = engine.train(data, subsets, np.arange(2))
    engine.train(data, subsets, np.arange(2))
    assert len(made) == 1
    other = replace(data, y_train=data.y_train[::-1].copy())
    assert engine.train(other, subsets, np.arange(2)).train_correct.mean() < 0.9
    assert len(made) == 2
    again = engine.train(data, subsets, np.arange(2))
    assert again.train_value is not None
    assert first.train_value is not None
    assert again.train_value.tobytes() == first.train_value.tobytes()


def test_seeds_do_not_matter() -> None:
    subsets = np.random.default_rng(0).random((2, 250)) < 0.7
    one, other = (
        Linear().engine("cpu").train(digits(), subsets, np.array(seeds))
        for seeds in ([0, 1], [7, 2**40])
    )
    assert one.train_value is not None
    assert other.train_value is not None
    assert one.train_value.tobytes() == other.train_value.tobytes()


@pytest.mark.slow
def test_what_cannot_converge_says_what_to_do() -> None:
    recipe = Linear(tolerance=1e-30)
    with pytest.raises(
        TrainingError, match=r"does not converge .* raise \[training\] l2"
    ) as raised:
        recipe.engine("cpu").train(digits(), np.ones((1, 250), bool), np.array([0]))
    assert "\n" not in str(raised.value)


def test_memory_grows_with_the_data_and_the_model() -> None:
    data = digits()
    wide = replace(data, train=InMemory(np.tile(data.train.whole(), (1, 4, 4, 1))))
    small, large = (Linear().model_bytes(d) for d in (data, wide))
    assert small > 2**28
    assert large - small > 28 * ((64 * 16 + 1) ** 2 - (64 + 1) ** 2)


def test_features_beyond_float32_are_an_error_not_a_score() -> None:
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32) * np.float32(1e30)
    data = Dataset.from_arrays(x, np.arange(40) % 2, x, np.arange(40) % 2)
    with pytest.raises(TrainingError, match=r"set \[training\] standardize = true"):
        Linear(standardize=False).engine("cpu").train(data, np.ones((1, 40), bool), np.array([0]))
    scaled = Linear().engine("cpu").train(data, np.ones((1, 40), bool), np.array([0]))
    assert scaled.train_correct.mean() > 0.4


@pytest.mark.parametrize("n_of_one", [32, 37])
def test_identical_examples_end(n_of_one: int) -> None:
    """Their gradients cancel at 0; what is left is rounding, which no step makes smaller."""
    image = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    x, y = np.broadcast_to(image, (64, *image.shape)), (np.arange(64) >= 64 - n_of_one).astype(int)
    alike = Dataset.from_arrays(x, y, x[:4], y[-4:])
    subsets = np.stack([np.random.default_rng(k).permutation(64) < 45 for k in range(3)])
    engine = training.resolve({"recipe": "linear"}, alike, 45).engine("cpu")
    found = engine.train(alike, subsets, np.arange(3))
    share = np.array([y[subset].mean() for subset in subsets])
    margin = np.log(share / (1 - share))[:, None] * np.where(y, 1, -1)
    np.testing.assert_allclose(found.train_value, margin, atol=2e-3)
