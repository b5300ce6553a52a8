"""The explorer by another measure than correctness: influences, and means of test examples."""

import dataclasses

import numpy as np
import pytest

from memtail_core.analysis import Analysis
from memtail_core.estimation.influence import Pairs, PairsRule
from memtail_core.estimation.measures import PROBABILITY
from memtail_core.report.exploration import encoded, explore
from memtail_core.report.exploration.measured_influence import means, measured_partners
from memtail_core.report.stored_analysis import analyse_stored
from memtail_core.running import loading
from tests.conftest import Trained


@pytest.fixture(scope="module")
def analysis(trained: Trained) -> Analysis:
    from memtail_core.analysis.measuring import estimator_of

    estimator = estimator_of(trained.study, "probability")
    rule = PairsRule(theta_mem=0.1, theta_infl=0.1)
    return analyse_stored(trained.store, trained.study, rule, estimator)


def test_the_strongest_significant_pairs_of_each_example_are_its_partners(
    analysis: Analysis,
) -> None:
    rng = np.random.default_rng(0)
    at = rng.permutation(30 * 7)[:90]
    one = analysis.pairs
    assert len(one)
    pairs: Pairs = dataclasses.replace(
        one,
        train_index=at // 7,
        test_index=at % 7,
        **{
            name: rng.random(90) / 10
            for name in ("influence", "standard_error", "ci_low", "ci_high", "p_value", "q_value")
        },
    )
    for of, n, k in (("train", 30, 2), ("test", 7, 8)):
        found = measured_partners(pairs, n, k, of)  # type: ignore[arg-type]
        mine, theirs = (at // 7, at % 7) if of == "train" else (at % 7, at // 7)
        for i in range(n):
            ranked = [
                (pairs.influence[p], theirs[p], pairs.q_value[p]) for p in range(90) if mine[p] == i
            ]
            own = sorted(ranked, reverse=True)[:k]
            assert found.index[i].tolist() == [j for _, j, _ in own] + [-1] * (k - len(own))
            assert found.influence[i, : len(own)].tolist() == [value for value, _, _ in own]
            assert np.isnan(found.influence[i, len(own) :]).all()
            assert found.is_significant[i, : len(own)].tolist() == [q <= 0.05 for _, _, q in own]


def test_means_are_over_all_models(trained: Trained, analysis: Analysis) -> None:
    trials, _ = loading.load(trained.store, trained.study, values=True)
    assert trials.test_values is not None
    expected = (1 / (1 + np.exp(-trials.test_values.astype(float)))).mean(0)
    np.testing.assert_allclose(means(analysis.trials, PROBABILITY), expected, rtol=1e-5)


def test_a_page_by_a_measure_has_its_explorer_and_names_it(analysis: Analysis) -> None:
    exploration = explore(analysis)
    assert encoded(exploration)["measure"] == "probability"
    partners = exploration.supporters
    listed = partners.index >= 0
    assert (partners.influence[listed] >= 0.05 - 1e-9).all()
    assert partners.is_significant[listed].all()
    for side in (exploration.supported, partners):
        assert (np.diff(np.nan_to_num(side.influence, nan=-1), axis=1) <= 0).all()
