"""What every counter promises, whatever it counts with: the same integers."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from memtail_core.errors import MachineError
from memtail_core.estimation.influence import PairCounter, bit_counter, counter_for, matrix_counter
from memtail_core.estimation.influence.counter import Hits, Tile
from memtail_core.estimation.influence.null_distribution import NEVER
from tests.estimation.influence.oracle import Bools, evidence, exact_influence

ROWS, COLUMNS = (1, 4, 5, 13), (1, 255, 256, 257)


def tossed(t: int, n: int, n_test: int) -> tuple[Bools, Bools]:
    rng = np.random.default_rng([t, n, n_test])
    subset, correct = rng.random((t, n)) < 0.7, rng.random((t, n_test)) < rng.random(n_test)
    subset[0], subset[1] = True, False  # an estimate for everyone
    return subset, correct


def counted(subset: Bools, correct: Bools) -> np.ndarray:
    return subset.T.astype(int) @ correct


def tile(
    counter: PairCounter,
    subset: Bools,
    correct: Bools,
    least: np.ndarray,
    least_of: np.ndarray,
    n_bins: int = 0,
) -> Tile:
    found = evidence(subset, correct)
    n_out = found.trials - found.n_in
    return Tile(
        rows=found.members.words,
        columns=counter.load(found.correct.words),
        n_columns=correct.shape[1],
        least=least,
        least_of=least_of,
        slope=1 / found.n_in + 1 / n_out,
        offset=1 / n_out,
        totals=found.n_correct.astype(np.float64),
        n_bins=n_bins,
    )


def listed(hits: Hits) -> list[tuple[int, int, int]]:
    parts = (hits.row, hits.column, hits.count)
    assert all(part.dtype == np.int64 for part in parts)
    return sorted(zip(*(part.tolist() for part in parts), strict=True))


def exceeding(counts: np.ndarray, least: np.ndarray) -> list[tuple[int, int, int]]:
    return [(r, c, int(x)) for (r, c), x in np.ndenumerate(counts) if x >= least[r, c]]


def tallied(subset: Bools, correct: Bools, n_bins: int) -> list[int]:
    counts, t = counted(subset, correct), len(subset)
    n_in, totals = subset.sum(axis=0), correct.sum(axis=0)
    kinds = Counter((int(x), int(n_in[i]), int(totals[j])) for (i, j), x in np.ndenumerate(counts))
    tally = [0] * n_bins
    for (x, size, total), many in kinds.items():
        above = (exact_influence(x, size, total, t) + 1) * Fraction(n_bins, 2)
        tally[min(int(above), n_bins - 1)] += many
    return tally


@pytest.mark.parametrize("t", [2, 64, 300])
@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("rows", ROWS)
def test_every_count_is_exact(every_counter: PairCounter, rows: int, columns: int, t: int) -> None:
    subset, correct = tossed(t, rows, columns)
    found = evidence(subset, correct)
    loaded = every_counter.load(found.correct.words)
    counts = every_counter.counts(found.members.words, loaded, columns)
    assert counts.dtype == np.int32
    np.testing.assert_array_equal(counts, counted(subset, correct))


def test_no_rows_have_no_counts(every_counter: PairCounter) -> None:
    found = evidence(*tossed(20, 1, 9))
    loaded = every_counter.load(found.correct.words)
    assert every_counter.counts(found.members.words[:0], loaded, 9).shape == (0, 9)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("rows", ROWS)
def test_hits_are_exactly_those_at_or_above_their_bar(
    every_counter: PairCounter, rows: int, columns: int
) -> None:
    subset, correct = tossed(65, rows, columns)
    counts = counted(subset, correct)
    rng = np.random.default_rng(0)
    least_of = rng.integers(3, size=rows)
    least = counts[rng.integers(rows, size=3)] + rng.integers(-1, 3, size=(3, columns))
    hits = every_counter.scan(tile(every_counter, subset, correct, least, least_of))
    assert listed(hits) == exceeding(counts, least[least_of])
    assert len(hits.tally) == 0


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("t", "n_bins"), [(20, 20), (20, 40), (65, 7)])
def test_the_tally_is_of_all_pairs_and_an_edge_counts_above_it(
    every_counter: PairCounter, rows: int, columns: int, t: int, n_bins: int
) -> None:
    subset, correct = tossed(t, rows, columns)
    least = np.full((1, columns), NEVER)
    hits = every_counter.scan(
        tile(every_counter, subset, correct, least, np.zeros(rows, np.int64), n_bins)
    )
    assert hits.tally.tolist() == tallied(subset, correct, n_bins)
    assert listed(hits) == []


@pytest.mark.parametrize("n_bins", [1, 2, 40])
def test_influences_of_1_and_minus_1_count_in_the_last_and_first_bin(
    every_counter: PairCounter, n_bins: int
) -> None:
    subset = np.arange(10)[:, None] < 7
    correct = np.concatenate([subset, ~subset, ~subset], axis=1)
    least = np.full((1, 3), NEVER)
    hits = every_counter.scan(
        tile(every_counter, subset, correct, least, np.zeros(1, np.int64), n_bins)
    )
    expected = [0] * n_bins
    expected[0] += 2
    expected[-1] += 1
    assert hits.tally.tolist() == expected


def test_more_hits_than_there_is_room_for(
    every_counter: PairCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bit_counter, "_ROOM", 1500)
    monkeypatch.setattr(matrix_counter, "_PAIRS", 1500)
    subset, correct = tossed(20, 37, 600)
    counts = counted(subset, correct)
    least = np.zeros((2, 600), np.int64)
    least[1] = 6
    least_of = np.arange(37) % 2
    hits = every_counter.scan(tile(every_counter, subset, correct, least, least_of, 40))
    assert listed(hits) == exceeding(counts, least[least_of])
    assert hits.tally.tolist() == tallied(subset, correct, 40)


def test_more_hits_than_there_really_is_room_for(every_counter: PairCounter) -> None:
    subset, correct = tossed(9, 550, 600)
    assert bit_counter._ROOM < 550 * 600
    least = np.zeros((1, 600), np.int64)
    hits = every_counter.scan(
        tile(every_counter, subset, correct, least, np.zeros(550, np.int64), 4)
    )
    assert listed(hits) == exceeding(counted(subset, correct), np.zeros((550, 600)))
    assert hits.tally.tolist() == tallied(subset, correct, 4)


def test_products_of_thousands_of_trials_are_exact(every_counter: PairCounter) -> None:
    subset, correct = tossed(5003, 9, 40)
    found = evidence(subset, correct)
    loaded = every_counter.load(found.correct.words)
    np.testing.assert_array_equal(
        every_counter.counts(found.members.words, loaded, 40), counted(subset, correct)
    )


def test_an_engine_says_what_it_is(every_counter: PairCounter) -> None:
    assert every_counter.threads >= 1
    assert every_counter.name


def test_the_processor_is_chosen_when_asked_for() -> None:
    assert isinstance(counter_for("cpu"), bit_counter.BitCounter)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(MachineError):
        counter_for("abacus")
