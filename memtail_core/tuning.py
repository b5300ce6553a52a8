"""How a study is trained on each kind of machine: measured once, then kept with the study.

Networks at once and precision change the last bits of a model. Whoever trains a shard, and however
often, must therefore choose alike, so the first to start on a kind of machine measures and writes
``studies/<id>/tuning/<kind>.json``, and all later ones read it.
"""

import json
import re

from memtail_core import parallelism
from memtail_core.data import Dataset
from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training import Tuning, restore
from memtail_core.training.device import machine_kind

_SHARE = 0.5  # of the free memory, for all the stacks that train at once


def settled(store: ObjectStore, study: Study, dataset: Dataset, device: str) -> Tuning:
    """Return how to train ``study`` on ``device``: what is kept for such a machine, or is measured.

    Raises:
        StoreError: what is kept is damaged.
    """
    kind = machine_kind(device)
    key = f"{study.prefix}tuning/{re.sub('[^a-z0-9]+', '-', kind.lower()).strip('-')}.json"
    if not store.exists(key):
        recipe, most = restore(study.training), study.shard_size
        if device == "cpu" and (need := recipe.model_bytes(dataset)):
            free = _SHARE * parallelism.free_memory() / parallelism.usable_cores()
            most = max(1, min(most, int(free / need)))
        found = recipe.tuned(dataset, study.subset_size, device, most)
        about = {"machine": kind, "stack": found.stack, "precision": found.precision}
        store.add(key, json.dumps(about).encode())  # another's, if it was faster
    try:
        kept = json.loads(store.get(key))
        return Tuning(int(kept["stack"]), str(kept["precision"]))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{store.location}/{key} is damaged: delete it") from error
