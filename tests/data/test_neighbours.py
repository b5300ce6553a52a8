from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from memtail_core.data import Dataset, InMemory, neighbours
from memtail_core.data.neighbours import Neighbours, Space, principal


def table(x: NDArray[np.floating], n_test: int) -> Dataset:
    y = np.arange(len(x)) % 2
    return Dataset.from_arrays(x[n_test:], y[n_test:], x[:n_test], y[:n_test])


def one_by_one(queries: NDArray, among: NDArray, k: int, own: list[int] | None) -> list[list[int]]:
    """Every distance by itself; the first of equally near ones first."""
    nearest = []
    for row, query in enumerate(queries.astype(np.float64)):
        apart = [(float(((query - other) ** 2).sum()), i) for i, other in enumerate(among)]
        nearest.append([i for _, i in sorted(apart) if own is None or i != own[row]][:k])
    return nearest


def standardized(x: NDArray, of: NDArray) -> NDArray[np.float64]:
    x, of = x.astype(np.float64), of.astype(np.float64)
    deviation = of.std(axis=0)
    return (x - of.mean(axis=0)) / np.where(deviation == 0, 1, deviation)


def test_the_nearest_of_a_table_are_those_of_every_distance() -> None:
    chance = np.random.default_rng(0)
    x = chance.normal(3, [1, 50, 0.01, 7, 0], (220, 5)).astype(np.float32)
    data = table(x, 20)
    train, test = (
        standardized(part, data.train.whole()) for part in (data.train.whole(), data.test.whole())
    )
    space = Space.of(data)
    near = space.of_train(6)
    assert near.index.tolist() == one_by_one(train, train, 6, list(range(200)))
    assert space.of_test(6).index.tolist() == one_by_one(test, train, 6, None)
    rms = np.sqrt(np.square(train[:, None] - train[near.index]).mean(axis=2))
    np.testing.assert_allclose(near.distance, rms, rtol=1e-4)


@pytest.mark.filterwarnings("error")
def test_examples_that_are_all_the_same_warn_of_nothing() -> None:
    """Twenty identical images ended a run with a RuntimeWarning of scikit-learn."""
    same = np.full((20, 12, 12), 7, np.uint8)
    near = Space.of(Dataset.from_arrays(same, np.arange(20) % 2, same[:2], [0, 1])).of_train(3)
    assert near.distance.tolist() == [[0, 0, 0]] * 20
    assert not principal(np.zeros((80, 70), np.float32), 64).any()


def test_chosen_examples_are_answered_in_their_order() -> None:
    data = table(np.random.default_rng(1).normal(size=(90, 4)), 30)
    space, chosen = Space.of(data), np.array([7, 3, 50])
    for of in (space.of_train, space.of_test):
        some = chosen % 30
        every, asked = of(4), of(4, some)
        np.testing.assert_array_equal(asked.index, every.index[some])
        np.testing.assert_array_equal(asked.distance, every.distance[some])


def test_of_equally_near_ones_the_first_come_first() -> None:
    x = np.repeat(np.array([[0.0, 0], [1, 0], [0, 1], [9, 9]]), 3, axis=0)
    near = Space.of(table(np.vstack([x[:1], x]), 1)).of_train(4)
    assert near.index[1].tolist()[:2] == [0, 2]  # itself is left out, its equals are not
    assert near.distance[1, :2].tolist() == [0, 0]
    assert near.index[0].tolist() == [1, 2, *sorted(near.index[0, 2:].tolist())]


def test_fewer_than_asked_for_leave_places_empty() -> None:
    near = Space.of(table(np.random.default_rng(2).normal(size=(5, 3)), 1)).of_train(6)
    assert near.index.shape == (4, 6)
    assert (near.index[:, 3:] == -1).all() and (near.index[:, :3] >= 0).all()
    assert np.isnan(near.distance[:, 3:]).all() and not np.isnan(near.distance[:, :3]).any()
    with pytest.raises(ValueError, match="at least one"):
        Space.of(table(np.eye(5), 1)).of_train(0)


def images(n: int, side: int, channels: int) -> Dataset:
    """Digits 8 × 8, every pixel repeated; the last rows are copies of the first, a bit noisier."""
    x = np.kron(load_digits().images[:n], np.ones((1, side // 8, side // 8)))
    x = np.repeat((x * 15)[..., None], channels, axis=3).astype(np.uint8)
    x[-5:] = x[:5] + np.random.default_rng(0).integers(0, 9, x[:5].shape, dtype=np.uint8)
    y = load_digits().target[:n]
    return Dataset.from_arrays(x, y, x[:9], y[:9])


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (40, 4)])
def test_a_noisy_copy_is_nearest(side: int, channels: int) -> None:
    data = images(200, side, channels)
    near = Space.of(data).of_train(2)
    assert near.index[:5, 0].tolist() == list(range(195, 200))
    assert near.index[195:, 0].tolist() == list(range(5))
    assert Space.of(data).of_test(1).index[:5, 0].tolist() == list(range(5))
    assert (np.diff(near.distance, axis=1) >= 0).all()


def test_64_components_keep_most_of_a_digits_neighbours() -> None:
    """The exact ones are known where components are as many as pixels; 16 × 16 has 256."""
    exact = Space.of(images(300, 8, 1)).of_train(5).index
    projected = Space.of(images(300, 16, 1)).of_train(5).index
    shared = np.mean([len(set(a) & set(b)) for a, b in zip(exact, projected, strict=True)])
    assert shared > 4.9


def test_distances_among_the_components_are_exact() -> None:
    space = Space.of(images(300, 16, 3))
    assert space.train.shape == (300, 64)
    near = space.of_train(6)
    assert near.index.tolist() == one_by_one(space.train, space.train, 6, list(range(300)))


def same(a: Neighbours, b: Neighbours) -> bool:
    return np.array_equal(a.index, b.index) and np.array_equal(a.distance, b.distance)


def test_rows_are_looked_for_in_any_number_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = images(150, 16, 1)
    whole = Space.of(data).of_train(3)
    assert same(whole, Space.of(data).of_train(3))
    monkeypatch.setattr(neighbours, "_ROWS", 37)
    parts = Space.of(data).of_train(3)
    np.testing.assert_array_equal(whole.index, parts.index)
    np.testing.assert_allclose(whole.distance, parts.distance, rtol=1e-4, atol=1e-5)


def test_brightness_and_contrast_of_the_whole_set_do_not_matter() -> None:
    data = images(150, 8, 1)
    dark = replace(data, train=InMemory(data.train.whole() // 5 * 2 + 9))
    bright = replace(data, train=InMemory(data.train.whole() // 5 * 4 + 30))
    dark_found, bright_found = (Space.of(each).of_train(3) for each in (dark, bright))
    np.testing.assert_array_equal(dark_found.index, bright_found.index)
    np.testing.assert_allclose(dark_found.distance, bright_found.distance, rtol=1e-4, atol=1e-6)
