"""Intervals of chosen pairs: how many miss what is true, shown with influence of known size."""

import numpy as np
import pytest

from memtail_core.estimation.influence import PairCounter, find
from memtail_core.estimation.intervals import agresti_caffo
from tests.estimation.influence.simulated import EVERY_PAIR, Measured, Setting, share

SIZES = (0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.mark.parametrize("design", ["balanced", "independent"])
@pytest.mark.parametrize(
    ("trials", "theta", "fdr", "strongest"),
    [
        pytest.param(200, -1.0, 0.1, None, id="significant"),
        pytest.param(100, 0.3, None, None, id="above a threshold"),
        pytest.param(40, -1.0, None, 10, id="the ten strongest"),
    ],
)
@pytest.mark.slow
def test_of_the_intervals_of_chosen_pairs_at_most_5_percent_miss(
    counter: PairCounter,
    design: str,
    trials: int,
    theta: float,
    fdr: float | None,
    strongest: int | None,
) -> None:
    """Of ordinary 95% intervals of the same pairs clearly more do: the largest are chosen."""
    setting = Setting(trials=trials, design=design, planted=SIZES)
    missing, ordinary = [], []
    for world in setting.worlds():
        trial = world.evidence
        found = find(trial, EVERY_PAIR, theta, fdr, counter=counter, strongest=strongest)
        i, j = found.train_index, found.test_index
        true = world.influence[i, j]
        missing.append(share((true < found.ci_low) | (found.ci_high < true)))
        count = (world.subset[:, i] & world.correct[:, j]).sum(axis=0)
        n_in, total = trial.n_in[i], trial.n_correct[j]
        low, high = agresti_caffo(count, n_in, total - count, trials - n_in)
        ordinary.append(share((true < low) | (high < true)))
    rate, usual = Measured.of(missing), Measured.of(ordinary)
    print(f"{setting}, theta {theta}, fdr {fdr}: miss {rate}, ordinary ones {usual}")
    assert usual.is_above(0.05)
    assert usual.mean > 1.5 * rate.mean
    assert rate.is_at_most(0.05)


@pytest.mark.parametrize("design", ["balanced", "independent"])
def test_of_all_pairs_95_percent_of_ordinary_intervals_hold(design: str) -> None:
    setting, holding = Setting(design=design, planted=SIZES), []
    for world in setting.worlds():
        trial = world.evidence
        product = world.subset.T.astype(np.float32) @ world.correct.astype(np.float32)
        counts = product.astype(np.int64)
        n_in = trial.n_in[:, None]
        low, high = agresti_caffo(counts, n_in, trial.n_correct - counts, setting.trials - n_in)
        holding.append(share((low <= world.influence) & (world.influence <= high)))
    held = Measured.of(holding)
    print(f"{setting}: {held} hold")
    assert 0.945 <= held.mean <= 0.96
