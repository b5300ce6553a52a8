"""Two studies compared by a measure other than correctness, against numpy and scipy."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, ndtr
from scipy.stats import binom, false_discovery_control, t

from memtail_core.analysis.disagreements import disagreements
from memtail_core.analysis.mean_differences import Means
from memtail_core.analysis.measuring import mean_evidence
from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.estimation.measures import ACCURACY, PROBABILITY, Measure
from memtail_core.experiments.comparison.plan import compare
from memtail_core.experiments.comparison.result import Comparison
from memtail_core.experiments.comparison.yardstick import Side
from memtail_core.running.trials import Trials
from tests.estimation.mean_influence.simulated import SHAPES
from tests.experiments.test_stability import World, simulated

N, N_TEST, INFLUENCES = 40, 16, (0.1, 0.2)


def study(trials: int, seed: int, *, rests_on: int = 0) -> Trials:
    """Test example j rests on training example j + ``rests_on``; margins are stored."""
    plain = simulated(World.long_tail(0, N), trials, seed, n_test=N_TEST)
    rng = np.random.default_rng(seed)
    inside = unpacked(plain)
    own = 1.0 + np.linspace(0, 3, N) * inside + rng.standard_normal((trials, N))
    test = 2.0 * inside[:, rests_on : rests_on + N_TEST] + rng.standard_normal((trials, N_TEST))
    stored = (each.astype(np.float16) for each in (own, test))
    return replace(plain, **dict(zip(("train_values", "test_values"), stored, strict=True)))


def unpacked(trials: Trials) -> NDArray[np.bool_]:
    return np.unpackbits(trials.subset, axis=1, count=trials.n).astype(bool)


def groups(trials: Trials, i: int, values: NDArray | None, j: int) -> list[NDArray]:
    """The probabilities of the trials with i, and of those without."""
    assert values is not None
    inside, outcome = unpacked(trials)[:, i], expit(values[:, j].astype(float))
    return [outcome[inside], outcome[~inside]]


def welch(one: list[NDArray], other: list[NDArray]) -> tuple[float, float]:
    """The difference of two differences of means, and its p-value, with Satterthwaite's degrees."""
    four = [*one, *other]
    squares = np.array([each.var(ddof=1) / len(each) for each in four])
    degrees = squares.sum() ** 2 / sum(
        s**2 / (len(each) - 1) for s, each in zip(squares, four, strict=True)
    )
    apart = one[0].mean() - one[1].mean() - other[0].mean() + other[1].mean()
    return apart, float(2 * t.sf(abs(apart) / np.sqrt(squares.sum()), degrees))


def compared(one: Trials, other: Trials, measure: Measure = PROBABILITY) -> Comparison:
    labels = np.zeros(N, np.int64), np.zeros(N_TEST, np.int64)
    return compare(
        Side("one-1", "one", one, 10, measure),
        Side("other-2", "other", other, 10, measure),
        *labels,
        PairsRule(theta_mem=0.1),
        thresholds=(0.1,),
        influence_thresholds=INFLUENCES,
        splits=1,
        counter=BitCounter(1),
    )


def test_scores_differ_by_welchs_test_of_four_means() -> None:
    one, other = study(100, 1), study(60, 2)
    mine, theirs = (Means.of_trials(each, PROBABILITY) for each in (one, other))
    found = disagreements(mine, theirs)
    for k, i in enumerate(found.index.tolist()):
        sides = [groups(each, i, each.train_values, i) for each in (one, other)]
        apart, p = welch(*sides)
        assert found.difference[k] == pytest.approx(apart, abs=1e-6)
        assert found.p_value[k] == pytest.approx(p, rel=1e-4)
        assert (found.ci_low[k] <= 0 <= found.ci_high[k]) == (p >= 0.05)
    unbiased = sum(g.var(ddof=1) / len(g) for g in groups(one, 3, one.train_values, 3))
    assert mine.variance[3] == pytest.approx(unbiased, rel=1e-4)


def test_pairs_that_only_one_has_are_found_as_in_a_loop() -> None:
    """Benjamini and Hochberg by hand, with every pair either side looks at."""
    one, other = study(100, 1), study(60, 2, rests_on=20)
    found = compared(one, other)
    values, memorized = [], []
    for each in (one, other):
        means = [
            [[g.mean() for g in groups(each, i, each.test_values, j)] for j in range(N_TEST)]
            for i in range(N)
        ]
        values.append(np.subtract(*np.moveaxis(np.array(means), -1, 0)))
        own = [groups(each, i, each.train_values, i) for i in range(N)]
        memorized.append(np.array([a.mean() - b.mean() for a, b in own]) >= 0.1)
    listed = [v >= INFLUENCES[0] for v in values]
    listed = [a & m[:, None] for a, m in zip(listed, memorized, strict=True)]
    pairs = np.argwhere(listed[0] | listed[1])
    p = np.array(
        [welch(*(groups(s, i, s.test_values, j) for s in (one, other)))[1] for i, j in pairs]
    )
    n_tested = N_TEST * sum(m.sum() for m in memorized)
    padded = np.concatenate([p, np.ones(n_tested - len(p))])
    sure = pairs[false_discovery_control(padded)[: len(p)] <= 0.05]
    for k, theta in enumerate(INFLUENCES):
        row = found.pairs[k]
        for s, only in ((0, row.only_one), (1, row.only_other)):
            mine = [values[s][i, j] >= theta and listed[s][i, j] for i, j in sure]
            theirs = [values[1 - s][i, j] >= theta for i, j in sure]
            assert only == sum(a and not b for a, b in zip(mine, theirs, strict=True))
    assert found.pairs[0].only_one
    assert found.measure == "probability"
    assert found.name == "comparison-with-other-2-by-probability"


def test_influence_of_pairs_is_the_difference_of_means() -> None:
    one = study(60, 1)
    train, test = np.array([0, 7, 39]), np.array([5, 7, 0])
    found = Means.of_pairs(mean_evidence(one, PROBABILITY), train, test)
    for k, (i, j) in enumerate(zip(train, test, strict=True)):
        inside, outside = groups(one, int(i), one.test_values, int(j))
        assert found.estimate[k] == pytest.approx(inside.mean() - outside.mean(), abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_of_equal_networks_nothing_differs_by_a_measure(shape: str) -> None:
    """Any significant one is false: in at most 5% of 60 studies, up to what chance makes of it."""
    rng, trials, n = np.random.default_rng(0), 40, 100
    inside = np.arange(trials)[:, None] < np.full(n, 28)
    false, single = 0, []
    for _ in range(60):
        sides = []
        for _ in range(2):
            rank = rng.standard_normal((trials, n)) + 1.5 * inside * (np.arange(n) < 30)
            values = SHAPES[shape](ndtr(rank)).astype(np.float16)
            bits = np.packbits(inside, axis=1)
            of = Trials(n, 0, bits, bits, bits[:, :0], values, None, np.arange(trials), rank[0], ())
            sides.append(Means.of_trials(of, ACCURACY))
        p = sides[0].tested(sides[1]).p_value
        single.append((p <= 0.05).mean())
        false += bool((false_discovery_control(p) <= 0.05).any())
    assert np.mean(single) <= 0.052
    assert false <= binom.ppf(0.999, 60, 0.05)


def test_models_without_values_are_said() -> None:
    plain = simulated(World.long_tail(0, N), 60, 1, n_test=N_TEST)
    with pytest.raises(EstimationError, match="--measure probability: the models have no values"):
        compared(plain, plain)
