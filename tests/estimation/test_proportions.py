"""Exact intervals against scipy's, and how often they hold in clusters."""

import numpy as np
import pytest
from scipy.stats import binomtest

from memtail_core.estimation.proportions import clopper_pearson, clustered_clopper_pearson
from tests.estimation.audits import missed_rates


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 17), (12, 40_000), (1, 1)])
def test_it_is_scipys(k: int, n: int) -> None:
    of_scipy = binomtest(k, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(k, n) == pytest.approx((of_scipy.low, of_scipy.high), abs=1e-12)
    assert clustered_clopper_pearson(k, n, 0.0, 5) == pytest.approx(clopper_pearson(k, n))


def test_of_nothing_everything_is_possible() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert clustered_clopper_pearson(0, 0, 0.0, 1) == (0.0, 1.0)


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.5])
def test_it_covers_independent_guesses(rate: float) -> None:
    missed = missed_rates(rate, 20_000, 20, 0.0, 1000).mean(axis=0)
    assert (missed <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5).all()


def test_it_covers_guesses_in_clusters() -> None:
    missed = missed_rates(0.05, 20_000, 20, 0.01, 1000).mean(axis=0)
    assert missed[0] <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5
    assert missed[1] > 0.3, "where the plain interval does not"


def test_clusters_only_widen() -> None:
    plain = clopper_pearson(50, 1000)
    wide = clustered_clopper_pearson(50, 1000, 4 * 0.05 * 0.95 / 1000, 30)
    assert wide[0] < plain[0] < 0.05 < plain[1] < wide[1]
    assert np.isclose(clustered_clopper_pearson(50, 1000, 1e-9, 30), plain).all()
