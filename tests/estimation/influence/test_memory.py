import pytest

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import memory_needed, most_pairs
from memtail_core.estimation.influence.pair_statistics import MOST_PAIRS


def test_bits_are_held_as_stored_and_as_turned() -> None:
    """A thousand trials more of 50,000 and 10,000 examples: 125 bytes of each example."""
    one, two = (memory_needed(trials, 50_000, 10_000, 4) for trials in (4096, 4096 + 1024))
    assert two - one >= 128 * (60_000 + 60_000 + 50_000)
    assert two - one < 4 * 128 * 170_000


def test_every_thread_has_its_tiles() -> None:
    assert memory_needed(2000, 50_000, 10_000, 64) > memory_needed(2000, 50_000, 10_000, 4) + 1e9


def test_what_is_left_of_the_memory_is_for_pairs() -> None:
    assert most_pairs(10**9, 10**9) == 0
    assert 1000 < most_pairs(10**9 + 10**6, 10**9) < 10_000
    assert most_pairs(10**13, 10**9) == MOST_PAIRS


def test_too_little_memory_is_said_beforehand() -> None:
    with pytest.raises(EstimationError, match=r"takes 2\.0 GB of memory, and it may have 1\.0 GB"):
        most_pairs(10**9, 2 * 10**9)
