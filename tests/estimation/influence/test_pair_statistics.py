from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import (
    Evidence,
    Family,
    PairCounter,
    PairStatistics,
    pair_statistics,
    scan,
)
from memtail_core.estimation.influence.count_thresholds import InfluenceThreshold
from tests.estimation.influence.oracle import Bools, Pair, all_pairs, evidence
from tests.estimation.oracle import random_trials

N, N_TEST = 40, 30


def tossed(t: int) -> tuple[Bools, Bools]:
    subset, _, correct = random_trials(t, t, N, N_TEST)
    subset[:, 3], subset[:, 11] = True, False  # no estimate
    correct[:, 0], correct[:, 7] = True, False  # no influence
    return subset, correct


def looked_at(
    t: int, labels: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Evidence, Family, list[Pair]]:
    subset, correct = tossed(t)
    family = Family.of(np.arange(N), np.arange(N_TEST), labels)
    return evidence(subset, correct), family, list(all_pairs(subset, correct, [*range(N)], labels))


@pytest.mark.parametrize("n_bins", [1, 7, 20, 40])
@pytest.mark.parametrize("t", [20, 60])
def test_the_tally_is_a_histogram_of_every_influence(
    every_counter: PairCounter, t: int, n_bins: int
) -> None:
    trials, family, pairs = looked_at(t)
    bins = Counter(
        min(int((pair.influence + 1) * Fraction(n_bins, 2)), n_bins - 1) for pair in pairs
    )
    bins[n_bins // 2] += (N - 2) * N_TEST - len(pairs)  # on them nothing has influence
    assert bins[n_bins // 2] >= (N - 2) * 2
    found = pair_statistics(trials, family, 0.15, counter=every_counter, n_bins=n_bins)
    assert found.tally.tolist() == [bins[each] for each in range(n_bins)]
    assert found.tally.sum() == family.n_estimable(trials)


def test_away_from_the_edges_the_tally_is_numpys(counter: PairCounter) -> None:
    trials, family, pairs = looked_at(60)
    edges = np.linspace(-1, 1, 38)  # 37 bins: no influence of so few trials lies on an edge
    values = [float(pair.influence) for pair in pairs] + [0.0] * (N - 2) * 2
    assert min(abs(value - edge) for value in values for edge in edges[1:-1]) > 1e-9
    found = pair_statistics(trials, family, 0.15, counter=counter, n_bins=37)
    np.testing.assert_array_equal(found.tally, np.histogram(values, edges)[0])


def test_no_bins_no_tally(counter: PairCounter) -> None:
    trials, family, _ = looked_at(20)
    assert len(pair_statistics(trials, family, 0.15, counter=counter).tally) == 0


@pytest.mark.parametrize("theta", [-1.0, 0.0, 0.15, 0.25, 2.0])
@pytest.mark.parametrize("labelled", [True, False])
def test_what_reaches_the_threshold_is_counted(
    counter: PairCounter, theta: float, labelled: bool
) -> None:
    labels = (np.arange(N) % 3, np.arange(N_TEST) % 4) if labelled else None
    trials, family, pairs = looked_at(60, labels)
    found = pair_statistics(trials, family, theta, counter=counter)
    assert found.n_reaching == sum(pair.influence >= theta - 1e-9 for pair in pairs)
    assert found.levels.n_tested == found.family.n_pairs == len(pairs)


def test_p_values_are_counted_by_level(counter: PairCounter) -> None:
    trials, family, pairs = looked_at(60)
    found = pair_statistics(trials, family, 0.9, counter=counter).levels
    p = np.array([float(pair.p_value) for pair in pairs])
    assert 10 ** (-found.first / 16) >= 0.5, "few pairs: all that a rate of 0.5 could need"
    for level in range(found.first, 200):
        assert found.at_least[level] == (p <= 10 ** (-level / 16) * (1 + 1e-9)).sum()


def kept(found: PairStatistics) -> list[tuple[int, int, int]]:
    assert found.kept is not None
    parts = found.kept.train, found.kept.test, found.kept.in_correct
    return sorted(zip(*(part.tolist() for part in parts), strict=True))


def test_what_reaches_the_threshold_is_kept(counter: PairCounter) -> None:
    trials, family, pairs = looked_at(60)
    found = pair_statistics(trials, family, 0.15, counter=counter)
    reaching = [pair for pair in pairs if pair.influence >= 0.15 - 1e-9]
    assert kept(found) == sorted((pair.train, pair.test, pair.count) for pair in reaching)


def test_of_significant_pairs_only_those_with_small_p_values_are_kept(counter: PairCounter) -> None:
    trials, family, pairs = looked_at(60)
    found = pair_statistics(trials, family, -1, counter=counter, significant=True)
    largest = 10 ** (-found.levels.first / 16)
    assert 0.5 <= largest < 0.6
    reaching = [pair for pair in pairs if pair.p_value <= largest]
    assert kept(found) == sorted((pair.train, pair.test, pair.count) for pair in reaching)
    assert found.n_reaching == len(reaching) < len(pairs)
    every = pair_statistics(trials, family, -1, counter=counter)
    np.testing.assert_array_equal(found.levels.counts, every.levels.counts)


def test_too_many_are_counted_but_not_kept(counter: PairCounter) -> None:
    trials, family, _ = looked_at(60)
    many = pair_statistics(trials, family, 0.3, counter=counter).n_reaching
    assert pair_statistics(trials, family, 0.3, counter=counter, most=many).kept is not None
    found = pair_statistics(trials, family, 0.3, counter=counter, most=many - 1)
    assert found.kept is None
    assert found.n_reaching == many


def test_more_than_may_be_kept_by_chance_alone_are_refused_before_they_are_counted(
    counter: PairCounter,
) -> None:
    trials, family, pairs = looked_at(60)
    told: list[int] = []
    with pytest.raises(EstimationError, match="by chance alone"):
        pair_statistics(
            trials, family, 0.0, counter=counter, most=len(pairs) // 4, progress=told.append
        )
    assert told == []
    pair_statistics(trials, family, 0.0, counter=counter, most=len(pairs) // 4, significant=True)


@pytest.mark.parametrize("significant", [False, True])
def test_tiles_are_noted_with_the_best_they_hold(
    counter: PairCounter, monkeypatch: pytest.MonkeyPatch, significant: bool
) -> None:
    trials, family, pairs = looked_at(60)
    monkeypatch.setattr(scan, "_COLUMNS", 4)
    monkeypatch.setattr(scan, "_PAIRS", 20)
    found = pair_statistics(trials, family, 0.15, counter=counter, significant=significant)
    assert len(found.best) > 10
    smallest = min(float(pair.p_value) for pair in pairs)
    highest = max(found.best.values())
    assert 10 ** (-(highest + 1) / 16) < smallest <= 10 ** (-highest / 16) * (1 + 1e-9)
    bar, numbers = InfluenceThreshold(0.15), set(found.best)
    parts = scan.scan(trials, found.family, bar, len, counter=counter, only=numbers)
    assert sum(part.value for part in parts) == sum(pair.influence >= 0.15 for pair in pairs)


def test_progress_adds_up_to_the_testable_pairs(counter: PairCounter) -> None:
    trials, family, pairs = looked_at(60)
    told: list[int] = []
    pair_statistics(trials, family, 0.15, counter=counter, progress=told.append)
    assert sum(told) == len(pairs)


def test_of_an_empty_family_nothing_is_counted(counter: PairCounter) -> None:
    trials, _, _ = looked_at(20)
    found = pair_statistics(trials, Family(()), 0.15, counter=counter, n_bins=4)
    assert found.n_reaching == found.levels.n_tested == 0
    assert found.tally.tolist() == [0, 0, 0, 0]
