"""The mean of repeats × test examples: its interval covers, whichever of the two varies."""

import numpy as np
import pytest

from memtail_core.estimation.crossed import crossed_mean


@pytest.mark.parametrize(("of_rows", "of_columns"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_the_interval_covers(of_rows: float, of_columns: float) -> None:
    rng, covered = np.random.default_rng(0), []
    for _ in range(500):
        rows, columns = rng.normal(size=(5, 1)), rng.normal(size=(1, 20))
        table = of_rows * rows + of_columns * columns + rng.normal(size=(5, 20))
        found = crossed_mean(table)
        covered.append(found.low <= 0 <= found.high)
    assert np.mean(covered) >= 0.92


def test_without_columns_of_their_own_it_is_students_interval_of_the_rows() -> None:
    rows = np.array([0.1, 0.4, 0.3])
    found = crossed_mean(np.tile(rows[:, None], (1, 6)))
    half = 4.302652729911275 * rows.std(ddof=1) / 3**0.5
    assert found.value == pytest.approx(rows.mean())
    assert found.high - found.value == pytest.approx(half)


def test_entries_that_agree_exactly_are_known_to_half_a_step() -> None:
    assert crossed_mean(np.zeros((2, 2))).high == 0
    found = crossed_mean(np.zeros((5, 20)), step=1.0)
    assert 0.05 < found.high < 0.3
    with pytest.raises(ValueError, match="two of each"):
        crossed_mean(np.zeros((1, 5)))
