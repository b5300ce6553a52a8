"""How well halves of a study agree by other measures than correctness."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core.analysis.halves import halves
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.measures import ACCURACY, PROBABILITY, Measure
from tests.experiments.test_stability import INFLUENCES, THRESHOLDS, World, measured, simulated


@pytest.mark.parametrize("measure", [PROBABILITY, ACCURACY], ids=lambda m: m.name)
def test_by_a_measure_every_figure_is_that_of_plain_means(measure: Measure) -> None:
    """One split of a small study, done again in numpy."""
    n, n_test, rng = 24, 12, np.random.default_rng(1)
    plain = simulated(World.long_tail(0, n), 60, seed=0, n_test=n_test)
    subset = np.unpackbits(plain.subset, axis=1, count=n).astype(bool)
    own = 2.0 * subset * rng.random(n) + rng.standard_normal((60, n))
    test = 2.0 * subset[:, :n_test] + rng.standard_normal((60, n_test))
    if measure is ACCURACY:
        own, test = (1 / (1 + np.exp(-each)) for each in (own, test))
    stored = [each.astype(np.float16) for each in (own, test)]
    trials = replace(plain, train_values=stored[0], test_values=stored[1])
    found = measured(trials, splits=1, rule=PairsRule(theta_mem=0.1), measure=measure)
    outcomes = [each.astype(float) for each in stored]
    if measure is PROBABILITY:
        outcomes = [1 / (1 + np.exp(-each)) for each in outcomes]

    def differences(at: NDArray, of: NDArray) -> NDArray:
        inside, outcome = subset[at].T.astype(float), of[at]
        with_it = inside @ outcome / inside.sum(1, keepdims=True)
        return with_it - (1 - inside) @ outcome / (1 - inside).sum(1, keepdims=True)

    scores, pairs = [], []
    for at in halves(trials.trials, 10, np.random.default_rng([0, 30, 0]), 30):
        scores.append(np.diagonal(differences(at, outcomes[0])))
        influence = differences(at, outcomes[1])
        influence[scores[-1] < 0.1] = -np.inf
        pairs.append(influence)
    assert found.pearson[0, 0] == pytest.approx(np.corrcoef(*scores)[0, 1])
    assert found.overall[0, 0] == pytest.approx(np.abs(scores[0] - scores[1]).mean())
    for sides, thresholds, jaccard, selected in (
        (scores, THRESHOLDS, found.jaccard, found.n_memorized),
        (pairs, INFLUENCES, found.pairs, found.n_pairs),
    ):
        for k, theta in enumerate(thresholds):
            one, other = (side >= theta for side in sides)
            expected = (one & other).sum() / (one | other).sum() if (one | other).any() else np.nan
            np.testing.assert_allclose(jaccard[0, 0, k], expected)
            assert selected[0, 0, k] == (one.sum() + other.sum()) / 2
    assert found.pairs[0, 0, 0] > 0


def test_pairs_that_are_too_many_by_a_measure_are_missing() -> None:
    trials = simulated(World.long_tail(0, 24), 60, seed=0)
    rng = np.random.default_rng(0)
    values = (rng.random((60, k)).astype(np.float16) for k in (24, trials.n_test))
    trials = replace(trials, **dict(zip(("train_values", "test_values"), values, strict=True)))
    rule = PairsRule(theta_mem=-1)
    found = measured(trials, splits=2, measure=ACCURACY, rule=rule, most=0)
    assert np.isnan(found.pairs).all()
    assert not np.isnan(found.pearson).any()
