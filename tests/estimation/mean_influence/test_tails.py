"""The permutation distribution of a sum of levels, against enumeration and exact distributions."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import hypergeom

from memtail_core.estimation.mean_influence.tails import log_tails

MIDDLE = 127


def histogram(levels: np.ndarray) -> np.ndarray:
    return np.bincount(levels + MIDDLE, minlength=255).astype(np.int32)


def tails(levels: np.ndarray, n_in: int, sums: np.ndarray) -> np.ndarray:
    each = np.repeat(histogram(levels)[None], len(sums), axis=0)
    return np.exp(log_tails(sums.astype(np.int64), np.full(len(sums), n_in), each))


def enumerated(levels: np.ndarray, n_in: int) -> np.ndarray:
    """The sums of every choice of n_in of the levels."""
    return np.array([sum(chosen) for chosen in combinations(levels.tolist(), n_in)])


WORLDS = {
    "normal": np.random.default_rng(0).normal(0, 40, 20),
    "skewed": 120 - np.random.default_rng(1).gamma(0.5, 60, 20),
    "few values": np.random.default_rng(2).choice([-127, 0, 127], 20),
    "one alone": np.array([-127] + [100, 110, 127] * 6 + [127]),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("n_in", [4, 14])
def test_tails_are_those_of_every_choice(name: str, n_in: int) -> None:
    levels = np.clip(np.rint(WORLDS[name]), -127, 127).astype(int)
    every = np.sort(enumerated(levels, n_in))
    sums = np.unique(every)
    exact = 1 - np.searchsorted(every, sums, side="left") / len(every)
    found = tails(levels, n_in, sums)
    matters = exact < 0.4
    ratio = found[matters] / exact[matters]
    assert (ratio > 0.55).all(), ratio.min()
    assert (ratio < 1.85).all(), ratio.max()
    assert 0.85 < np.median(ratio) < 1.3
    assert found[-1] == pytest.approx(exact[-1])
    assert found[0] == 1
    assert tails(levels, n_in, sums[-1:] + 1)[0] == 0


@pytest.mark.parametrize(
    ("trials", "n_in", "right"), [(40, 28, 12), (400, 280, 380), (2000, 1400, 900)]
)
def test_with_bits_it_is_fishers_exact_test(trials: int, n_in: int, right: int) -> None:
    levels = np.repeat([-127, 127], [trials - right, right])
    counts = np.arange(max(0, n_in + right - trials), min(n_in, right) + 1)
    exact = hypergeom.logsf(counts - 1, trials, right, n_in)
    sums = 127 * (2 * counts - n_in)
    each = np.repeat(histogram(levels)[None], len(sums), axis=0)
    found = log_tails(sums.astype(np.int64), np.full(len(sums), n_in), each)
    matters = (exact < np.log(0.3)) & (exact > -600)
    assert matters.sum() > 2
    np.testing.assert_allclose(found[matters], exact[matters], atol=0.1)


def test_larger_sums_are_less_probable() -> None:
    levels = np.clip(np.rint(np.random.default_rng(3).normal(60, 50, 300)), -127, 127).astype(int)
    sums = np.arange(210 * 30, 210 * 90, 10)
    found = tails(levels, 210, sums)
    assert (np.diff(found) <= 1e-3).all()
    assert found[0] > 0.99
    assert found[-1] < 1e-12
