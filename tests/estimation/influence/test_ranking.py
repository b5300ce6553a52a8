"""The strongest few of each row, as every counter keeps them."""

from fractions import Fraction

import numpy as np
import pytest

from memtail_core.estimation.influence import PairCounter, matrix_counter
from memtail_core.estimation.influence.counter import Ranking
from tests.estimation.influence.oracle import Bools, evidence

SIZES = pytest.mark.parametrize("n", [1, 3, 4, 13])
WIDTHS = pytest.mark.parametrize("n_columns", [1, 255, 256, 257])


def tossed(t: int, n: int, n_columns: int) -> tuple[Bools, Bools]:
    rng = np.random.default_rng([t, n, n_columns])
    return rng.random((t, n)) < 0.4, rng.random((t, n_columns)) < rng.random(n_columns)


def strongest(
    rows: Bools, columns: Bools, scales: list[int], k: int
) -> list[list[tuple[Fraction, int, int]]]:
    """(strength, column, count) of each row, by falling strength, then by column."""
    t = len(rows)
    found = []
    for r in range(rows.shape[1]):
        each = []
        for c in range(columns.shape[1]):
            x = int((rows[:, r] & columns[:, c]).sum())
            strength = t * x - int(rows[:, r].sum()) * int(columns[:, c].sum())
            each.append((Fraction(strength, scales[c]), c, x))
        found.append(sorted(each, key=lambda one: (-one[0], one[1]))[:k])
    return found


def ranked(
    counter: PairCounter, rows: Bools, columns: Bools, scales: list[int], k: int, at_once: int
) -> Ranking:
    found = evidence(rows, columns)
    n, n_columns = rows.shape[1], columns.shape[1]
    best, partner = np.full((n, k), -np.inf), np.full((n, k), -1, np.int64)
    count = np.zeros((n, k), np.int64)
    for left in range(0, n_columns, at_once):
        part = np.arange(left, min(left + at_once, n_columns))
        ranking = Ranking(
            rows=found.members.words,
            columns=counter.load(found.correct.words[part]),
            indices=part + 1000,
            trials=found.trials,
            row_totals=found.n_in,
            column_totals=found.n_correct[part],
            scales=np.array(scales, np.float64)[part],
            best=best,
            partner=partner,
            count=count,
        )
        counter.rank(ranking)
    return ranking


def assert_is(found: Ranking, expected: list[list[tuple[Fraction, int, int]]]) -> None:
    for r, row in enumerate(expected):
        there = len(row)
        assert found.partner[r, :there].tolist() == [c + 1000 for _, c, _ in row]
        assert found.count[r, :there].tolist() == [x for _, _, x in row]
        assert found.best[r, :there].tolist() == [float(strength) for strength, _, _ in row]
        assert (found.partner[r, there:] == -1).all()


@SIZES
@WIDTHS
def test_the_strongest_come_first(every_counter: PairCounter, n: int, n_columns: int) -> None:
    rows, columns = tossed(300, n, n_columns)
    scales = [1] * n_columns
    found = ranked(every_counter, rows, columns, scales, 5, n_columns)
    assert_is(found, strongest(rows, columns, scales, 5))


@pytest.mark.parametrize("at_once", [1000, 300, 256, 100, 1])
def test_of_equals_the_lower_index_comes_first(every_counter: PairCounter, at_once: int) -> None:
    """9 trials: hundreds of columns are equal; other scales make equal fractions of others."""
    rows, columns = tossed(9, 6, 600)
    scales = [(3, 6, 7, 14)[c % 4] for c in range(600)]
    found = ranked(every_counter, rows, columns, scales, 40, at_once)
    assert_is(found, strongest(rows, columns, scales, 40))


def test_columns_that_are_all_the_same_stay_in_their_order(every_counter: PairCounter) -> None:
    rows, columns = tossed(30, 5, 1)
    columns = np.repeat(columns, 700, axis=1)
    found = ranked(every_counter, rows, columns, [7] * 700, 300, 350)
    assert (found.partner == np.arange(1000, 1300)).all()


def test_more_places_than_columns_leaves_some_empty(every_counter: PairCounter) -> None:
    rows, columns = tossed(40, 7, 3)
    found = ranked(every_counter, rows, columns, [1, 2, 3], 5, 2)
    assert_is(found, strongest(rows, columns, [1, 2, 3], 5))
    assert np.isneginf(found.best[:, 3:]).all()


def test_one_place_holds_the_strongest(every_counter: PairCounter) -> None:
    rows, columns = tossed(100, 9, 520)
    found = ranked(every_counter, rows, columns, [1] * 520, 1, 520)
    assert_is(found, strongest(rows, columns, [1] * 520, 1))


def test_rows_are_ranked_a_few_at_a_time(
    every_counter: PairCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_counter, "_PAIRS", 1000)
    rows, columns = tossed(50, 23, 400)
    found = ranked(every_counter, rows, columns, [1] * 400, 4, 400)
    assert_is(found, strongest(rows, columns, [1] * 400, 4))
