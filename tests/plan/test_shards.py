import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtail_core.errors import StudyError
from memtail_core.plan import shards
from memtail_core.plan.shards import WHOLE, Part, Shard
from tests.plan.test_designs import study as make_study

STUDY = make_study().model_copy(update={"shard_size": 10})


def test_shards_are_whole_and_cover_the_trials() -> None:
    assert shards.planned(STUDY, 25) == [Shard(0, 10), Shard(10, 20), Shard(20, 30)]
    assert shards.planned(STUDY, 30) == shards.planned(STUDY, 25)
    assert shards.planned(STUDY, 0) == []


def test_growing_keeps_every_shard() -> None:
    assert set(shards.planned(STUDY, 25)) <= set(shards.planned(STUDY, 2000))


def test_keys_sort_as_the_trials_do() -> None:
    keys = [shard.key(STUDY) for shard in shards.planned(STUDY, 5000)]
    assert keys == sorted(keys)
    assert keys[1] == f"studies/{STUDY.id}/shards/0000010-0000020.npz"


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 9))
def test_parts_share_the_shards_without_overlap(size: int, n: int, of: int) -> None:
    every = [Shard(k * size, (k + 1) * size) for k in range(n)]
    parts = [Part.parse(f"{number}/{of}").of_shards(every) for number in range(of)]
    assert sorted(shard for part in parts for shard in part) == every
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert WHOLE.of_shards(every) == every


@pytest.mark.parametrize("text", ["", "3", "4/4", "-1/4", "1/0", "0/0", "1/2/3", "a/b", "1.5/2"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(StudyError, match="is no part: write 0/64"):
        Part.parse(text)
