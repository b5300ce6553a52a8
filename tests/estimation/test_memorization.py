import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.estimation import memorization
from memtail_core.estimation.memorization import column_sums
from tests.estimation.oracle import difference_of_means, random_trials


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    t=st.integers(1, 150),
    n=st.integers(1, 40),
    ratio=st.sampled_from([0.05, 0.5, 0.7, 0.98]),
)
def test_every_number_equals_the_brute_force_oracle(
    seed: int, t: int, n: int, ratio: float
) -> None:
    subset, correct, _ = random_trials(seed, t, n, 1, ratio)
    found = memorization(np.packbits(subset, axis=1), np.packbits(correct, axis=1), n)
    for i in range(n):
        expected = difference_of_means(subset, correct, i, i)
        assert found.n_in[i] == expected["n_in"]
        assert found.n_out[i] == expected["n_out"]
        np.testing.assert_allclose(found.memorization[i], expected["estimate"], rtol=1e-12)
        np.testing.assert_allclose(
            found.standard_error[i], expected["standard_error"], rtol=1e-12, atol=1e-15
        )
        if "accuracy_in" in expected:
            np.testing.assert_allclose(found.accuracy_in[i], expected["accuracy_in"])
            np.testing.assert_allclose(found.accuracy_out[i], expected["accuracy_out"])
            assert found.ci_low[i] <= found.memorization[i] <= found.ci_high[i]


def test_an_example_never_held_out_or_never_held_in_is_missing_not_zero() -> None:
    subset = np.array([[1, 0, 1], [1, 0, 0]], bool)
    found = memorization(np.packbits(subset, axis=1), np.packbits(subset, axis=1), 3)
    for values in (found.memorization, found.standard_error, found.ci_low, found.ci_high):
        assert np.isnan(values).tolist() == [True, True, False]
    assert np.isnan(found.accuracy_out).tolist() == [True, False, False]
    assert np.isnan(found.accuracy_in).tolist() == [False, True, False]


def test_the_order_of_the_trials_does_not_change_a_bit() -> None:
    subset, correct, _ = random_trials(3, 301, 70, 1)
    order = np.random.default_rng(0).permutation(301)
    one = memorization(np.packbits(subset, axis=1), np.packbits(correct, axis=1), 70)
    two = memorization(np.packbits(subset[order], axis=1), np.packbits(correct[order], axis=1), 70)
    for name, values in vars(one).items():
        assert values.tobytes() == getattr(two, name).tobytes(), name


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1000])
@pytest.mark.parametrize("t", [0, 1, 63, 64, 65, 300])
def test_column_sums_at_the_edges_of_bytes_and_chunks(n: int, t: int) -> None:
    bits = np.random.default_rng(n + t).random((t, n)) < 0.5
    assert (column_sums(np.packbits(bits, axis=1), n) == bits.sum(axis=0)).all()
