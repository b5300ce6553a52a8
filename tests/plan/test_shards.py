from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
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
