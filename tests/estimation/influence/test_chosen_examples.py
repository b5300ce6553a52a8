"""What it changes that the same trials chose the training examples, against each pair by itself."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from memtail_core.estimation import memorization
from memtail_core.estimation.influence import (
    Evidence,
    Family,
    PairCounter,
    PairsRule,
    find,
    pair_statistics,
    scan,
    select,
)
from memtail_core.estimation.influence.bit_counter import BitCounter
from tests.estimation.influence.families_of_pairs import indices_of, rows_of
from tests.estimation.influence.oracle import (
    Bools,
    Pair,
    all_pairs,
    evidence,
    exact_influence,
    exact_p,
    packed,
)
from tests.estimation.oracle import random_trials

N, N_TEST, T = 60, 45, 70
THETA = 0.25


def lucky_trials() -> tuple[Bools, Bools, Bools]:
    """Trials of which some are better than others on everything, and some influence."""
    rng = np.random.default_rng(8)
    subset, _, correct = random_trials(8, T, N, N_TEST)
    quality = rng.standard_normal((T, 1))
    own = quality + rng.standard_normal((T, N)) + np.where(np.arange(N) < 15, 2.0 * subset, 0) > 0
    luck = quality + rng.standard_normal((T, N_TEST)) > 0
    return subset, own, np.where(np.arange(N_TEST) < 20, correct, luck)


SUBSET, OWN, CORRECT = lucky_trials()
SCORES = memorization(packed(SUBSET), packed(OWN), N).memorization
LABELS = np.arange(N) % 3, np.arange(N_TEST) % 3
FAMILY = PairsRule(THETA).family(SCORES, *LABELS)
TRIALS = evidence(SUBSET, CORRECT, OWN)


def leeway(i: int, j: int) -> float:
    """(mem − θ) / β, from two covariance matrices of numpy."""
    covariance = np.zeros((2, 2))
    for rows in (SUBSET[:, i], ~SUBSET[:, i]):
        covariance += np.cov(OWN[rows, i], CORRECT[rows, j]) / rows.sum()
    beta = covariance[0, 1] / covariance[1, 1]
    return (float(SCORES[i]) - THETA) / float(beta) if beta > 0 else math.inf


def p_value(pair: Pair) -> float:
    """P[x or more] among counts with which the example had been chosen, one count at a time."""
    least = float(pair.influence) - leeway(pair.train, pair.test)
    kind = pair.n_in, pair.total, T
    chosen = [
        x
        for x in range(pair.count + 1)
        if x / pair.n_in - (pair.total - x) / (T - pair.n_in) >= least - 1e-9
    ]
    return float(exact_p(pair.count, *kind) / exact_p(min(chosen), *kind))


def low(pair: Pair, z: float) -> float:
    """The influence with which one as large has probability P[N ≥ z] among chosen examples."""
    more, n_out = max(1.0, z**2 / 4), T - pair.n_in
    p = (pair.count + more) / (pair.n_in + 2 * more)
    q = (pair.total - pair.count + more) / (n_out + 2 * more)
    error = math.sqrt(p * (1 - p) / (pair.n_in + 2 * more) + q * (1 - q) / (n_out + 2 * more))
    room = leeway(pair.train, pair.test)

    def excess(true: float) -> float:
        above, chosen = (p - q - true) / error, (p - q - room - true) / error
        return float(norm.logsf(above) - norm.logsf(chosen) - norm.logsf(z))

    return float(brentq(excess, -1, p - q)) if excess(-1) < 0 else -1.0


def chance(pair: Pair, theta: float) -> float:
    """P[influence ≥ theta] among counts with which the example had been chosen."""
    least = float(pair.influence) - leeway(pair.train, pair.test)
    chosen, both = Fraction(0), Fraction(0)
    for x in range(pair.n_in + 1):
        influence = float(exact_influence(x, pair.n_in, pair.total, T))
        ways = (
            math.comb(pair.n_in, x) * math.comb(T - pair.n_in, pair.total - x)
            if (0 <= pair.total - x <= T - pair.n_in)
            else 0
        )
        chosen += ways * (influence >= least - 1e-9)
        both += ways * (influence >= max(least, theta) - 1e-9)
    return float(both / chosen)


def pairs() -> list[Pair]:
    chosen = np.flatnonzero(SCORES >= THETA - 1e-9).tolist()
    return list(all_pairs(SUBSET, CORRECT, chosen, LABELS))


def q_values(p: list[float]) -> list[float]:
    """The least rate N t / #{p ≤ t} over thresholds t = 10^(−l/16) ≥ p, up to 0.57."""
    p_all = np.array(p)
    grid = [10 ** (-level / 16) for level in range(4, 1000)]
    rates = [len(p) * t / max(1, (p_all <= t * (1 + 1e-9)).sum()) for t in grid]
    least = np.minimum.accumulate(np.minimum(rates, 1))
    return [
        float(min([q for t, q in zip(grid, least, strict=True) if each <= t * (1 + 1e-9)] or [1]))
        for each in p
    ]


@pytest.mark.parametrize("fdr", [None, 0.05, 0.3])
@pytest.mark.parametrize("theta", [-1.0, 0.15])
def test_every_number_is_that_of_the_pair_among_chosen_examples(
    every_counter: PairCounter, theta: float, fdr: float | None
) -> None:
    every = pairs()
    p = [p_value(pair) for pair in every]
    expected = {
        (pair.train, pair.test): (pair, each, q)
        for pair, each, q in zip(every, p, q_values(p), strict=True)
        if pair.influence >= theta - 1e-9 and (fdr is None or q <= fdr)
    }
    found = find(TRIALS, FAMILY, theta, fdr, counter=every_counter)
    assert found.n_tested == len(every)
    assert set(indices_of(found)) == expected.keys()
    z = norm.isf(0.025 * len(expected) / len(every))
    changed = 0
    for row in rows_of(found):
        pair, each, q = expected[int(row["train_index"]), int(row["test_index"])]
        assert row["p_value"] == pytest.approx(each, rel=1e-9)
        assert row["q_value"] == pytest.approx(q)
        usual = pair.interval(z)
        assert row["ci_high"] == pytest.approx(usual[1])
        assert row["ci_low"] == pytest.approx(min(usual[0], low(pair, z)), abs=1e-6)
        changed += each > 1.01 * float(pair.p_value)
    assert changed > (0 if fdr else 15)


@pytest.mark.parametrize("theta", [0.0, 0.15, 0.4])
def test_as_many_are_expected_by_chance_as_probabilities_given_the_choice_add_up_to(
    counter: PairCounter, theta: float
) -> None:
    found = find(TRIALS, FAMILY, theta, counter=counter)
    usual = find(replace(TRIALS, own=None), FAMILY, theta, counter=counter)
    assert found.expected_by_chance == pytest.approx(sum(chance(pair, theta) for pair in pairs()))
    assert found.expected_by_chance > 1.05 * usual.expected_by_chance


def test_pairs_are_drawn_from_the_whole_family_alike() -> None:
    train, test = FAMILY.drawn(10**6)
    every = {(int(i), int(j)) for rows, columns in FAMILY.groups for i in rows for j in columns}
    assert len(train) == FAMILY.n_pairs
    assert set(zip(train.tolist(), test.tolist(), strict=True)) == every
    wide = Family.of(np.arange(N), np.arange(N_TEST), LABELS)
    drawn = np.column_stack(wide.drawn(wide.n_pairs - 1))
    assert len(drawn) == wide.n_pairs - 1
    assert (LABELS[0][drawn[:, 0]] == LABELS[1][drawn[:, 1]]).all()
    assert 0.5 < len(np.unique(drawn, axis=0)) / len(drawn) < 0.75, "1 − 1/e with replacement"


def test_it_makes_findings_rarer_and_intervals_wider_but_changes_no_estimate(
    counter: PairCounter,
) -> None:
    usual = find(replace(TRIALS, own=None), FAMILY, -1, counter=counter)
    found = find(TRIALS, FAMILY, -1, counter=counter)
    for name in ("train_index", "test_index", "influence", "standard_error", "ci_high"):
        np.testing.assert_array_equal(getattr(found, name), getattr(usual, name))
    assert (found.p_value >= usual.p_value).all()
    assert (found.q_value >= usual.q_value).all()
    assert (found.ci_low <= usual.ci_low).all()
    assert (found.p_value > 2 * usual.p_value).any()
    assert (found.ci_low < usual.ci_low - 0.05).any()


@pytest.mark.parametrize(
    ("trials", "family"),
    [
        (TRIALS, Family.of(np.arange(N), np.arange(N_TEST))),
        (TRIALS, PairsRule(-1.0).family(SCORES, *LABELS)),
        (evidence(SUBSET, CORRECT), FAMILY),
    ],
    ids=["every example", "memorization of at least −1", "chosen by other trials"],
)
def test_where_the_trials_did_not_choose_nothing_changes(
    counter: PairCounter, trials: Evidence, family: Family
) -> None:
    usual = find(replace(trials, own=None), replace(family, above=None), -1, 0.5, counter=counter)
    found = find(trials, family, -1, 0.5, counter=counter)
    for name in ("p_value", "q_value", "ci_low"):
        np.testing.assert_allclose(getattr(found, name), getattr(usual, name), rtol=1e-12)


def test_an_example_that_was_barely_chosen_says_nothing(counter: PairCounter) -> None:
    """Any count less, and it had not been chosen: with that given, so large a count is certain."""
    barely = replace(FAMILY, above=np.zeros(N))
    found = find(TRIALS, barely, -1, counter=counter)
    related = [leeway(int(i), int(j)) < math.inf for i, j in indices_of(found)]
    assert (found.p_value[related] == 1).all()
    assert found.ci_low[related] == pytest.approx(-1)


@pytest.mark.parametrize("fdr", [0.1, 0.3])
def test_a_second_pass_finds_the_same(
    every_counter: PairCounter, monkeypatch: pytest.MonkeyPatch, fdr: float
) -> None:
    expected = find(TRIALS, FAMILY, 0.0, fdr, counter=BitCounter(1))
    monkeypatch.setattr(scan, "_PAIRS", 20)
    seen = pair_statistics(
        TRIALS, FAMILY, 0.0, counter=every_counter, significant=True, most=len(expected)
    )
    assert seen.kept is None
    found = select(TRIALS, seen, fdr, counter=every_counter)
    for name, value in vars(expected).items():
        if name != "threshold":
            np.testing.assert_array_equal(value, getattr(found, name), err_msg=name)


def test_harm_is_tested_in_its_own_direction(counter: PairCounter) -> None:
    """Getting j wrong and i right seldom go together: being chosen does not make harm likelier."""
    usual = find(replace(TRIALS.of_errors(), own=None), FAMILY, -1, counter=counter)
    found = find(TRIALS.of_errors(), FAMILY, -1, counter=counter)
    lucky = found.test_index >= 20
    assert np.median(found.p_value[lucky] / usual.p_value[lucky]) == pytest.approx(1)
