"""The benchmark of ``linear`` runs, at a small size, and both sides predict alike."""

import pytest

from tests.benchmarks.test_benchmarks import ran


def test_linear_is_measured_against_scikit_learn() -> None:
    (found,) = ran(
        "linear", "--models", "10", "--their-models", "2", "--examples", "300", "--features", "8",
        "--classes", "3", "--rounds", "1",
    )  # fmt: skip
    assert found["ratio"] == pytest.approx(found["their_seconds"] / found["our_seconds"])
    assert found["ours"] == pytest.approx(1 / found["our_seconds"])
    assert found["agreement"]["predictions"] > 0.99
    evaluation = 4 * 300 * 9 * 3 / 1e9
    assert 4 * evaluation < found["gigaflop_a_model"] < 40 * evaluation
    assert 0 < found["fraction_of_peak"] < 1
    assert 0 < found["largest_gradient"] < 1e-2
