"""How many trials a study is to have: ``studies/<id>/goal.json``, the number last asked for."""

import json

from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore
from memtail_core.store.document import document
from memtail_core.study import MOST_TRIALS, Study


def goal(store: ObjectStore, study: Study) -> int:
    """The number of trials wanted, 0 where none was registered.

    Raises:
        StoreError: ``goal.json`` is damaged.
    """
    key = _key(study)
    try:
        content = store.get(key)
    except KeyError:
        return 0
    try:
        trials = int(document(content)["trials"])
        if 0 < trials <= MOST_TRIALS:
            return trials
    except (ValueError, TypeError, KeyError):
        pass
    raise StoreError(
        f"{store.location}/{key} is damaged: delete it, and give --trials when you run it again"
    )


def set_goal(store: ObjectStore, study: Study, trials: int) -> None:
    """Set the number of trials wanted: ``trials``, or more if more are stored."""
    wanted = max(trials, *(shard.last for shard in stored_shards(store, study)), 1)
    if wanted != goal(store, study):
        store.put(_key(study), json.dumps({"trials": wanted}).encode())


def _key(study: Study) -> str:
    return f"{study.prefix}goal.json"
