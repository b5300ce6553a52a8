"""The learned combination: it estimates memorization, not difficulty, and sees no own teacher."""

import numpy as np
import pytest

from memtail_core.approximations.methods.combination import learned, shaped
from tests.approximations.test_signals import of_margins

N = 3000


def world(runs: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Examples with known error rates, and two signals that tell of them with noise."""
    rng = np.random.default_rng(seed)
    out = np.where(rng.random(N) < 0.3, rng.random(N), 0.02)
    inside = np.where(out > 0.8, 0.7, 0.0) * out  # the hardest are not learned either
    held_out = rng.random((runs, N)) < 0.3
    wrong = rng.random((runs, N)) < np.where(held_out, out, inside)
    signals = np.stack([out, rng.random(N)], axis=1) + 0.1 * rng.normal(size=(runs, N, 2))
    return signals, held_out, wrong, out - inside


@pytest.mark.parametrize("runs", [2, 5])
def test_it_learns_memorization_from_the_runs_alone(runs: int) -> None:
    signals, held_out, wrong, memorization = world(runs)
    found = learned(signals, held_out, wrong)
    assert np.corrcoef(found, memorization)[0, 1] > 0.9
    assert np.abs(found.mean() - memorization.mean()) < 0.03
    best_signal = np.corrcoef(signals[..., 0].mean(0), memorization)[0, 1]
    assert np.corrcoef(found, memorization)[0, 1] > best_signal


def test_no_example_teaches_itself() -> None:
    """Turn one example's bits around: its own prediction stays as it is."""
    signals, held_out, wrong, _ = world(3)
    before = learned(signals, held_out, wrong)
    turned = wrong.copy()
    turned[:, 17] = ~turned[:, 17]
    after = learned(signals, held_out, turned)
    assert after[17] == before[17]
    assert (after != before).any()


def test_one_runs_ranks_get_the_scale_of_errors() -> None:
    p = np.array([[0.9, 0.5, 0.1, 0.6]])
    run = of_margins(np.log(p / (1 - p)), p)
    found = shaped(np.array([3.0, 1.0, 2.0, 10.0]), [run])
    assert (found.argsort() == [1, 2, 0, 3]).all()
    assert found.min() >= 0.1 - 1e-3
    assert found.max() <= 0.9 + 1e-3
