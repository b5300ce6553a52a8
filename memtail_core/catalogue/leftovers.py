"""What interrupted trainings left beside the shards, once nobody needs it: checkpoints and claims.

Whoever stores a shard removes its own. What is left is of those who were killed just before.
"""

from memtail_core.catalogue.stored import stored_shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_NAME = len(Shard(0, 1).name)


def remove(store: ObjectStore, study: Study) -> None:
    """Remove what is of shards that are stored."""
    keys = [
        key for folder in ("checkpoints", "claims") for key in store.list(_prefix(study, folder))
    ]
    stored = {shard.name for shard in stored_shards(store, study)} if keys else set()
    for key in keys:
        if key.rpartition("/")[2][:_NAME] in stored:
            store.delete(key)


def remove_checkpoints(store: ObjectStore, study: Study) -> None:
    """Remove all checkpoints: the study was cancelled."""
    for key in list(store.list(_prefix(study, "checkpoints"))):
        store.delete(key)


def _prefix(study: Study, folder: str) -> str:
    return f"{study.prefix}{folder}/"
