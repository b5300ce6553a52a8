"""Near-duplicates planted among real digits, and in tables; the brute-force way as the oracle."""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from memtail_core.data import Dataset, near_duplicates
from memtail_core.data.modalities.images.shifts import BestShift
from tests.conftest import Trained


def planted(trained: Trained, rng: np.random.Generator) -> tuple[Dataset, np.ndarray]:
    """The digits, of which examples 0 … 19 become shifted, noisy, brighter copies of others."""
    x = np.pad(trained.dataset.train.whole(), ((0, 0), (2, 2), (2, 2), (0, 0))).copy()
    test = np.pad(trained.dataset.test.whole(), ((0, 0), (2, 2), (2, 2), (0, 0)))
    sources = rng.choice(np.arange(20, len(x)), 20, replace=False)
    for copy, source in enumerate(sources):
        image = np.roll(x[source].astype(float), rng.integers(-1, 2, 2), (0, 1))
        image = image * rng.uniform(0.8, 1) + rng.normal(0, 1, image.shape) * (image > 0)
        x[copy] = np.clip(image.round(), 0, 255).astype(np.uint8)
    y = trained.dataset.y_train.copy()
    y[:20] = y[sources]
    return Dataset.from_arrays(x, y, test, trained.dataset.y_test), sources


def test_shifted_noisy_copies_are_found(trained: Trained) -> None:
    dataset, sources = planted(trained, np.random.default_rng(0))
    nearest = near_duplicates.within_training_set(dataset)
    assert (nearest.partner[:20] == sources).sum() >= 19
    assert nearest.is_duplicate[:20].sum() >= 18
    others = np.setdiff1d(np.arange(20, len(dataset.y_train)), sources)
    assert nearest.is_duplicate[others].mean() < 0.03, "hardly one that was not planted"


def test_copies_of_test_examples_are_found(trained: Trained) -> None:
    before = trained.dataset
    x = before.train.whole().copy()
    x[:10] = before.test.whole()[30:40]
    nearest = near_duplicates.in_test_set(
        Dataset.from_arrays(x, before.y_train, before.test.whole(), before.y_test)
    )
    assert nearest.partner[:10].tolist() == list(range(30, 40))
    assert nearest.is_duplicate[:10].all()
    assert nearest.distance[:10].max() < 1e-3
    assert nearest.is_duplicate[10:].mean() < 0.05


def test_distances_are_those_of_the_best_shift() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.random((2, 3, 6, 5))
    expected = []
    for down in range(-5, 6):
        for right in range(-4, 5):
            shifted = np.zeros((3, 18, 15))
            shifted[:, 6 + down : 12 + down, 5 + right : 10 + right] = other
            framed = np.pad(one, ((0, 0), (6, 6), (5, 5)))
            a, b = framed / np.linalg.norm(framed), shifted / np.linalg.norm(shifted)
            expected.append(np.linalg.norm(a - b))
    rows = [torch.from_numpy(x / np.linalg.norm(x)).float()[None] for x in (one, other)]
    distance = BestShift().distances(rows[0], rows[1][None])
    assert distance.item() == pytest.approx(min(expected), abs=1e-5)


def test_tables_are_compared_by_standardized_columns() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 6)) * [1, 10, 100, 1e3, 1, 0] + 5
    x[:5] = x[100:105]
    x[:5, :5] *= 1 + 1e-5
    nearest = near_duplicates.within_training_set(
        Dataset.from_arrays(x, np.arange(300) % 2, x[:50] + 1, np.arange(50) % 2)
    )
    assert nearest.partner[:5].tolist() == list(range(100, 105))
    scale = np.where(x.std(0) == 0, 1, x.std(0))
    z = (x - x.mean(0)) / scale
    far = np.linalg.norm(z[:, None] - z[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert nearest.partner.tolist() == far.argmin(1).tolist()
    assert nearest.distance == pytest.approx(far.min(1) / np.sqrt(6), rel=1e-2, abs=1e-4)
    assert nearest.is_duplicate[:5].all()
    assert nearest.is_duplicate.sum() <= 12


@pytest.mark.parametrize("d", [2, 6, 20])
def test_without_duplicates_hardly_any_are_found(d: int) -> None:
    """Complete nulls: one or more are found in about 5% of them, and the dimension is right."""
    rng = np.random.default_rng(d)
    has_duplicates = []
    for _ in range(40):
        x = rng.normal(size=(400, d))
        nearest = near_duplicates.within_training_set(
            Dataset.from_arrays(x, np.arange(400) % 2, x[:5], [0, 1, 0, 1, 0])
        )
        has_duplicates.append(nearest.is_duplicate.any())
        assert nearest.p_value.mean() == pytest.approx(0.5, abs=0.07)
    assert sum(has_duplicates) <= binom.ppf(0.999, 40, 0.1)
    assert nearest.dimension == pytest.approx(d, rel=0.35)


def test_identical_copies_are_duplicates_however_many_there_are() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (30, 8, 8)).astype(np.uint8)
    x[:4] = x[4]
    nearest = near_duplicates.within_training_set(
        Dataset.from_arrays(x, np.arange(30) % 3, x[:3], np.arange(3))
    )
    assert nearest.is_duplicate[:5].all()


def test_large_images_are_shrunk_and_tiny_sets_have_none() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(0, 256, (6, 80, 50, 3)).astype(np.uint8)
    dataset = Dataset.from_arrays(x, np.arange(6) % 2, x[:1], [0])
    train, _ = BestShift().prepared(dataset.train, dataset.test, "cpu")
    assert train.rows.shape == (6, 3, 32, 20)
    assert not near_duplicates.in_test_set(dataset).is_duplicate.any(), "nothing to compare with"


def test_features_add_near_duplicates_and_lose_none() -> None:
    """Pairs 0-1 are alike in pixels, 2-3 in features alone, 4-5 in both."""
    rng = np.random.default_rng(0)
    x, seen = rng.integers(0, 256, (80, 6, 6)).astype(np.uint8), rng.normal(size=(80, 12))
    x[[0, 4]], seen[[2, 4]] = x[[1, 5]], seen[[3, 5]]
    y = np.arange(80) % 2
    images = Dataset.from_arrays(x[:60], y[:60], x[60:], y[60:])
    features = Dataset.from_arrays(seen[:60], y[:60], seen[60:], y[60:])
    both = near_duplicates.within_training_set(images, features)
    alone = [near_duplicates.within_training_set(each) for each in (images, features)]
    np.testing.assert_array_equal(np.flatnonzero(alone[0].is_duplicate), [0, 1, 4, 5])
    np.testing.assert_array_equal(np.flatnonzero(alone[1].is_duplicate), [2, 3, 4, 5])
    np.testing.assert_array_equal(np.flatnonzero(both.is_duplicate), range(6))
    np.testing.assert_array_equal(both.partner[:6], [1, 0, 3, 2, 5, 4])
    np.testing.assert_array_equal(both.partner[6:], alone[0].partner[6:])
    assert not near_duplicates.in_test_set(images, features).is_duplicate.any()
