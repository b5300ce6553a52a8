"""Sums of levels and rounded outcomes, against products of matrices and loops in numpy."""

import numpy as np
import pytest

from memtail_core.estimation.influence.bits import Bits
from memtail_core.estimation.mean_influence import MeanEvidence
from memtail_core.estimation.mean_influence.level_sums import COLUMNS, level_sums
from memtail_core.estimation.measures import MARGIN


@pytest.mark.parametrize("trials", [4, 257, 1_000])
@pytest.mark.parametrize("columns", [1, COLUMNS])
def test_sums_are_those_of_a_product_even_of_the_largest_levels(trials: int, columns: int) -> None:
    rng = np.random.default_rng(trials)
    packed = np.packbits(rng.random((trials, 70)) < 0.7, axis=1)
    packed[:, 0] = 255  # eight examples of every trial: the largest sums there are
    words = Bits.of(packed, 70).words
    inside = np.unpackbits(words.view(np.uint8), axis=1).astype(np.int64)
    levels = rng.integers(-127, 128, (columns, inside.shape[1])).astype(np.int8)
    levels[0] = 127
    levels[-1] *= -1
    sums = np.full((70, COLUMNS), 7, np.int32)
    level_sums(np.ascontiguousarray(words.T), levels, sums)
    np.testing.assert_array_equal(sums[:, :columns], inside @ levels.T.astype(np.int64))
    assert not sums[:, columns:].any()
    assert abs(sums[:8, 0]).max() == 127 * trials


def test_outcomes_are_rounded_and_placed_as_numpy_does() -> None:
    rng = np.random.default_rng(0)
    trials, n_test = 130, 67
    values = rng.normal(0, 3, (trials, n_test)).astype(np.float16)
    values[:, 3] = 1.5  # all trials say the same
    packed = np.packbits(rng.random((trials, 9)) < 0.5, axis=1)
    evidence = MeanEvidence.of(packed, values, 9, MARGIN)
    outcome = values.T.astype(np.float64)
    step = np.ptp(outcome, axis=1) / 254
    unit = np.where(step > 0, step, 1)[:, None]
    level = np.rint((outcome - outcome.min(axis=1, keepdims=True)) / unit).astype(int) - 127
    rounded, places = evidence.rounded, evidence.places
    np.testing.assert_array_equal(rounded.step, step)
    np.testing.assert_array_equal(rounded.levels[:, places], level)
    assert np.delete(rounded.levels, places, axis=1).any() == 0
    for j in (0, 3, n_test - 1):
        np.testing.assert_array_equal(rounded.counts[j], np.bincount(level[j] + 127, minlength=255))
    about = evidence.outcomes(np.array([0, 5]))
    expected = (outcome[[0, 5]] - outcome[[0, 5]].mean(axis=1, keepdims=True)).astype(np.float32)
    np.testing.assert_allclose(about[:, places], expected, rtol=1e-6, atol=1e-7)
    assert np.delete(about, places, axis=1).any() == 0
