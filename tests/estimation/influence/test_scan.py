import threading
from collections.abc import Generator
from itertools import pairwise

import numpy as np
import pytest

from memtail_core.estimation.influence import Evidence, Family, PairCounter
from memtail_core.estimation.influence import scan as module
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.estimation.influence.count_thresholds import InfluenceThreshold
from memtail_core.estimation.influence.scan import CountedPairs, scan
from tests.estimation.influence.oracle import all_pairs, evidence
from tests.estimation.oracle import random_trials

N, N_TEST, T = 50, 37, 60
SUBSET, _, CORRECT = random_trials(0, T, N, N_TEST)
LABELS = np.arange(N) % 3, np.arange(N_TEST) % 3


@pytest.fixture
def trials() -> Evidence:
    return evidence(SUBSET, CORRECT)


@pytest.fixture
def family(trials: Evidence) -> Family:
    return Family.of(np.arange(N), np.arange(N_TEST), LABELS).testable(trials)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COLUMNS", 5)
    monkeypatch.setattr(module, "_PAIRS", 20)


def kept(found: CountedPairs) -> CountedPairs:
    return found


def pairs_of(found: CountedPairs) -> set[tuple[int, int]]:
    return set(zip(found.train.tolist(), found.test.tolist(), strict=True))


def everything(
    trials: Evidence, family: Family, counter: PairCounter, only: set[int] | None = None
) -> list[tuple[int, list[tuple[int, int, int]], list[int]]]:
    parts = scan(
        trials, family, InfluenceThreshold(0.1), kept, counter=counter, n_bins=10, only=only
    )
    return [
        (
            part.number,
            sorted(
                zip(
                    part.value.train.tolist(),
                    part.value.test.tolist(),
                    part.value.in_correct.tolist(),
                    strict=True,
                )
            ),
            part.value.tally.tolist(),
        )
        for part in parts
    ]


@pytest.mark.parametrize("columns", [1, 5, 1000])
@pytest.mark.parametrize("pairs", [1, 20, 100_000])
def test_tiles_of_any_size_cover_every_pair_once(
    trials: Evidence,
    family: Family,
    every_counter: PairCounter,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    pairs: int,
) -> None:
    monkeypatch.setattr(module, "_COLUMNS", columns)
    monkeypatch.setattr(module, "_PAIRS", pairs)
    parts = everything(trials, family, every_counter)
    expected = [
        (pair.train, pair.test, pair.count)
        for pair in all_pairs(SUBSET, CORRECT, list(range(N)), LABELS)
    ]
    reaching = [
        (pair.train, pair.test, pair.count)
        for pair in all_pairs(SUBSET, CORRECT, list(range(N)), LABELS)
        if pair.influence >= 0.1 - 1e-9
    ]
    assert sorted(hit for _, hits, _ in parts for hit in hits) == sorted(reaching)
    assert np.sum([tally for *_, tally in parts], axis=0).sum() == len(expected)
    assert [number for number, *_ in parts] == list(range(len(parts)))


@pytest.mark.usefixtures("small_tiles")
def test_neither_engine_nor_threads_change_the_order_of_the_tiles(
    trials: Evidence, family: Family, every_counter: PairCounter
) -> None:
    expected = everything(trials, family, BitCounter(1))
    assert len(expected) > 20
    assert everything(trials, family, every_counter) == expected
    assert everything(trials, family, BitCounter(5)) == expected


@pytest.mark.usefixtures("small_tiles")
def test_a_second_pass_looks_only_at_the_tiles_it_is_told(
    trials: Evidence, family: Family, counter: PairCounter
) -> None:
    every = everything(trials, family, counter)
    chosen = {0, 3, 4, 17}
    assert everything(trials, family, counter, only=chosen) == [every[n] for n in sorted(chosen)]
    assert everything(trials, family, counter, only=set()) == []


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("threads", [1, 3])
def test_progress_adds_up_to_all_pairs(trials: Evidence, family: Family, threads: int) -> None:
    told: list[int] = []
    parts = scan(
        trials,
        family,
        InfluenceThreshold(0.1),
        kept,
        counter=BitCounter(threads),
        progress=told.append,
    )
    steps = [(part.number, sum(told)) for part in parts]
    assert sum(told) == family.n_pairs
    assert len(told) == len(steps)
    assert all(one[1] < two[1] for one, two in pairwise(steps))


def test_an_empty_family_has_no_tiles(trials: Evidence, counter: PairCounter) -> None:
    assert everything(trials, Family(()), counter) == []


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_pass_can_be_abandoned(trials: Evidence, family: Family, threads: int) -> None:
    """What has begun is finished, what has not begun is not begun."""
    every, begun, gate = InfluenceThreshold(-1), [], threading.Event()
    parts = scan(trials, family, every, kept, counter=BitCounter(1))
    later = {pair for part in list(parts)[2:] for pair in pairs_of(part.value)}

    def waiting(found: CountedPairs) -> None:
        begun.append(found)
        if pairs_of(found) & later:
            gate.wait()

    before = threading.active_count()
    abandoned = scan(trials, family, every, waiting, counter=BitCounter(threads))
    assert isinstance(abandoned, Generator)
    assert [next(abandoned).number, next(abandoned).number] == [0, 1]
    opening = threading.Timer(0.5, gate.set)
    opening.start()
    abandoned.close()
    opening.join()
    assert threading.active_count() == before
    assert len(begun) <= 2 + threads


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("threads", [1, 2])
def test_what_goes_wrong_in_a_thread_is_raised(
    trials: Evidence, family: Family, threads: int
) -> None:
    before, seen = threading.active_count(), []

    def failing(found: CountedPairs) -> None:
        seen.append(found)
        if len(seen) >= 5:
            raise ZeroDivisionError("in a thread")

    parts = scan(trials, family, InfluenceThreshold(0.1), failing, counter=BitCounter(threads))
    with pytest.raises(ZeroDivisionError, match="in a thread"):
        list(parts)
    assert threading.active_count() == before
    assert len(seen) < len(everything(trials, family, BitCounter(1)))


@pytest.mark.usefixtures("small_tiles")
def test_an_interruption_by_whoever_is_told_of_progress_ends_the_pass(
    trials: Evidence, family: Family, counter: PairCounter
) -> None:
    before = threading.active_count()

    def interrupted(pairs: int) -> None:
        raise KeyboardInterrupt

    parts = scan(
        trials, family, InfluenceThreshold(0.1), kept, counter=counter, progress=interrupted
    )
    with pytest.raises(KeyboardInterrupt):
        list(parts)
    assert threading.active_count() == before
