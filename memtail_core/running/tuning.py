"""How a study is trained on each kind of machine: autotuned once, then kept with the study.

The number of networks trained at once and the precision change how results are rounded. Everyone
who trains a shard must therefore choose the same. The first process on a kind of machine measures
and writes ``studies/<id>/tuning/<kind>.json``; all later ones read it.
"""

import json
import re

from memtail_core.data import Dataset
from memtail_core.errors import StoreError, TrainingError
from memtail_core.running import machine
from memtail_core.store import ObjectStore
from memtail_core.store.document import document
from memtail_core.study import Study
from memtail_core.training import Tuning, restore
from memtail_core.training.device import machine_kind

_SHARE = 0.5  # of the free memory, for all the stacks that train at once


def check(study: Study, stack: int | None) -> None:
    """Refuse to train ``stack`` networks at once if the recipe cannot.

    Raises:
        TrainingError: it is not positive, or this recipe trains one model at a time.
    """
    if stack is not None and (stack < 1 or (stack > 1 and not restore(study.training).stackable)):
        raise TrainingError(
            f"--stack {stack}: '{study.training['recipe']}' trains one model at a time"
            if stack > 1
            else f"--stack {stack}: train at least one network at once"
        )


def settled(
    store: ObjectStore, study: Study, dataset: Dataset, device: str, stack: int | None = None
) -> Tuning:
    """Return how to train ``study`` on this kind of machine: as stored, or measured and stored now.

    Args:
        store: where it is kept.
        study, dataset: what is trained.
        device: "cpu", "cuda" or "cuda:1".
        stack: networks at once, if the user chose; at most a shard's. Only the precision is
            measured then.

    Raises:
        StoreError: the stored tuning is damaged.
    """
    kind = machine_kind(device)
    asked = "" if stack is None else f"-stack-{stack}"
    name = re.sub("[^a-z0-9]+", "-", kind.lower()).strip("-")
    key = f"{study.prefix}tuning/{name}{asked}.json"
    if not store.exists(key):
        most = study.shard_size
        stacks = _stacks(study, dataset, device) if stack is None else [min(stack, most)]
        tuned = restore(study.training).tuned(dataset, study.subset_size, device, stacks)
        about = {"machine": kind, "stack": tuned.stack, "precision": tuned.precision}
        store.add(key, json.dumps(about).encode())  # another process may be first
    try:
        kept = document(store.get(key))
        tuning = Tuning(kept["stack"], kept["precision"])
        if tuning.stack > study.shard_size:
            raise ValueError(f"stack = {tuning.stack}")
        return tuning
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{store.location}/{key} is damaged: delete it") from error


def _stacks(study: Study, dataset: Dataset, device: str) -> list[int]:
    """The numbers of networks to try, ascending: equal parts of a shard that fit in memory."""
    recipe = restore(study.training)
    most = study.shard_size if recipe.stackable else 1
    if device == "cpu" and (need := recipe.model_bytes(dataset)):
        free = _SHARE * machine.free_memory() / machine.usable_cores()
        most = max(1, min(most, int(free / need)))
    sizes, parts = {1}, 1
    while (size := -(-most // parts)) > 1:
        sizes.add(size)
        parts *= 2
    return sorted(sizes)
