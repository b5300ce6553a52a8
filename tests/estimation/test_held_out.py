"""Averages over the trials that held an example out: brute force, and any order of the trials."""

import numpy as np
import pytest

from memtail_core.estimation.held_out import HeldOut


def drawn(seed: int, trials: int = 12, n: int = 9, n_classes: int = 4) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    logits = 4 * rng.normal(size=(trials, n, n_classes))
    p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    subset = rng.random((trials, n)) < 0.6
    subset[:, 0] = True  # never held out
    return subset, p.astype(np.float16)


@pytest.mark.parametrize("seed", range(5))
def test_mean_and_spread_are_those_of_the_trials_that_held_the_example_out(seed: int) -> None:
    subset, p = drawn(seed)
    found = HeldOut.of(subset, p)
    for i in range(subset.shape[1]):
        out = p[~subset[:, i], i].astype(np.float64)
        assert found.n_out[i] == len(out)
        if len(out):
            np.testing.assert_allclose(found.mean[i], out.mean(0), rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(found.spread[i], out.std(0), atol=2e-4)
        else:
            assert np.isnan(found.mean[i]).all() and np.isnan(found.spread[i]).all()


def test_the_sums_are_the_same_bits_in_any_order_and_any_parts() -> None:
    subset, p = drawn(7, trials=40)
    whole = HeldOut.of(subset, p)
    rng = np.random.default_rng(0)
    for cuts in ([10, 20, 30], [1], [3, 39]):
        order = rng.permutation(40)
        parts = [HeldOut.of(subset[rows], p[rows]) for rows in np.split(order, cuts)]
        total = HeldOut.none(*p.shape[1:])
        for part in parts:
            total = total.plus(part)
        for name in ("n_out", "total", "squares"):
            assert getattr(total, name).tobytes() == getattr(whole, name).tobytes()
        assert total.mean.tobytes() == whole.mean.tobytes()


def test_the_largest_shard_of_certain_models_does_not_overflow() -> None:
    subset, p = np.zeros((10_000, 1), bool), np.ones((10_000, 1, 1), np.float16)
    found = HeldOut.of(subset, p)
    assert (found.mean[0, 0], found.spread[0, 0]) == (1.0, 0.0)
    small = HeldOut.of(subset[:255], p[:255])
    assert small.total.max() == small.squares.max() == 255 * 2**24 < 2**32


def test_the_smallest_probability_counts() -> None:
    p = np.full((3, 1, 1), np.finfo(np.float16).smallest_subnormal)
    assert HeldOut.of(np.zeros((3, 1), bool), p).mean[0, 0] == 2.0**-24
