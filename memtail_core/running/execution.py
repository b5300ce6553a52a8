"""Run a study on this machine: train its missing shards in processes, and return its trials.

Interrupting a run costs the shards in flight and nothing else: a shard is stored whole or not at
all, and one that takes long goes on from its last checkpoint.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, takewhile

import numpy as np

from memtail_core import catalogue
from memtail_core.catalogue import Progress
from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, StoreError
from memtail_core.plan.shards import WHOLE, Part, Shard
from memtail_core.running import features, machine, parallelism, tuning
from memtail_core.running.listeners import ProgressListener, StoppingRule
from memtail_core.running.loading import load
from memtail_core.running.trials import Trials
from memtail_core.running.worker_pool import WorkerPool
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training.device import resolve_device

_MOST_ROUNDS = 3  # of training what turned out to be damaged


def run(
    study: Study,
    store: ObjectStore,
    dataset: Dataset,
    n_trials: int,
    *,
    workers: int | None = None,
    device: str = "auto",
    stack: int | None = None,
    observer: ProgressListener | None = None,
    until: StoppingRule | None = None,
    seconds: float | None = None,
    may_shrink: bool = False,
    part: Part = WHOLE,
) -> Trials:
    """Train what is missing of the first ``n_trials`` trials and return all that are stored.

    The study's goal grows to the number of trials that is trained for; if a stopping rule or the
    time ends the run early, to the number that is stored.

    Args:
        study, dataset: from :func:`memtail_core.running.preparation.prepare`.
        store: a folder or bucket that every process can open.
        n_trials: rounded up to whole shards.
        workers: processes; None measures, while training, what is fastest here.
        device: "auto", "cpu", "cuda" (every GPU, one process each) or "cuda:1".
        stack: networks that a process trains at once; None: what is fastest on such a machine.
        observer: told of the progress.
        until: a rule that says when fewer trials are enough. It is asked about the stored trials
            first, then after each group of shards large enough to keep all processes at work.
        seconds: after which no shard is started that would not be done by then; the first is.
        may_shrink: a goal that is larger falls to ``n_trials``.
        part: of the shards; the others are left to other runs.

    Returns:
        The trials, without values.

    Raises:
        TrainingError, StoreError: what is stored stays, and the same call continues.
    """
    device, listener = resolve_device(device), observer or ProgressListener()
    tuning.check(study, stack)
    # If nothing is missing, no process loads the data, which would tell whether they are damaged.
    is_idle = not part.of_shards(Progress.of(store, study, n_trials).missing)
    before = catalogue.goal(store, study)
    at_first = n_trials if until is None else 1
    catalogue.register(
        store, study, dataset, at_first, verify=is_idle, may_shrink=may_shrink and until is None
    )
    if not is_idle:
        cores = workers or machine.usable_cores()
        progress = listener.features_computed
        features.supply(store, study, dataset, device, workers=cores, progress=progress)
    candidates = partial(parallelism.candidates, study, dataset, device, workers)
    with WorkerPool(study, store, device, stack, candidates, listener, seconds) as pool:
        for aim in _aims(store, study, n_trials, until, pool):
            if until is not None:
                catalogue.grow(store, study, aim)
                listener.goal_changed(aim)
            loaded = _train(store, study, dataset, aim, pool, listener, part)
            if pool.is_late or (until is not None and until.enough(_first(loaded, aim))):
                break
    if not is_idle:
        catalogue.leftovers.remove(store, study)
    if may_shrink and until is not None:
        catalogue.shrink(store, study, min(aim, Progress.of(store, study).n_without_gap))
    elif pool.is_late and part.of == 1:  # else other parts go on
        stored = Progress.of(store, study).n_without_gap
        catalogue.take_back(store, study, asked=aim, before=before, trials=min(aim, stored))
    return loaded


def _aims(
    store: ObjectStore, study: Study, n_trials: int, until: StoppingRule | None, pool: WorkerPool
) -> Iterator[int]:
    """Yield how many trials to have before the rule is asked again; in the end, all of them.

    Of the looks for which all trials are stored only the last is taken: a run that continues
    neither repeats its old looks nor forgets them.
    """
    looks: Iterable[int] = () if until is None else until.looks()
    stored, before = Progress.of(store, study).n_without_gap, 0
    reached: int | None = None
    for look in chain(takewhile(lambda look: look < n_trials, looks), (n_trials,)):
        if look <= stored:
            reached = look
            continue
        if reached is not None:
            yield reached
            before, reached = reached, None
        if look == n_trials or look - before >= pool.size * study.shard_size:
            before = look
            yield look
    if reached is not None:
        yield reached


def _first(loaded: Trials, n: int) -> Trials:
    return loaded.taken(np.flatnonzero(loaded.trials < n))


def _train(
    store: ObjectStore,
    study: Study,
    dataset: Dataset,
    n_trials: int,
    pool: WorkerPool,
    listener: ProgressListener,
    part: Part,
) -> Trials:
    """Train what is missing or damaged, and return all that is stored."""

    def to_train() -> list[Shard]:
        return part.of_shards(Progress.of(store, study, n_trials).missing)

    for _ in range(_MOST_ROUNDS):
        if missing := to_train():
            listener.shards_missing(missing)
            try:
                pool.train(missing)
            except DatasetError:  # the first process that loads the data verifies them
                if not catalogue.put_dataset(store, dataset, verify=True):
                    raise
                pool.train(to_train())
        loaded, damaged = load(store, study, set_aside=True, check_values=True)
        for each in damaged:
            listener.shard_damaged(each)
        if pool.is_late or not to_train():
            return loaded
    raise StoreError(
        f"the store '{store.location}' keeps damaging what is written to it: check its disk"
    )
