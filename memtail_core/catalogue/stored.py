"""Which shards of a study are stored: the listing of the store is the only truth about progress."""

from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def stored_shards(store: ObjectStore, study: Study) -> list[Shard]:
    """The shards whose bits are in ``store``, in order."""
    keys = store.list(f"{study.prefix}shards/")
    names = (key.rpartition("/")[2] for key in keys)
    every = (
        shards.named(study, name.removesuffix(".npz")) for name in names if name.endswith(".npz")
    )
    return [shard for shard in every if shard]
