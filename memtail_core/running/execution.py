"""Run the missing shards of a study on this machine, in processes; what a worker calls for one.

Interrupting costs the shards in flight and nothing else: a shard is stored whole or not at all.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, takewhile
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from loky.process_executor import BrokenProcessPool

from memtail_core import catalogue, training
from memtail_core.catalogue import Progress
from memtail_core.data import Dataset
from memtail_core.errors import OutOfMemoryError, StoreError, TrainingError
from memtail_core.plan.shards import Shard
from memtail_core.running import parallelism, processes, trials, tuning
from memtail_core.running.trials import Damaged, Trials
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study
from memtail_core.training import Tuning
from memtail_core.training.device import compute_reproducibly, resolve_device, use_one_core

_MOST_ROUNDS = 3  # of training what turned out to be damaged
_MOST_BREAKS = 3  # how often processes may die (out of memory) without a shard between


@dataclass(frozen=True)
class ShardDone:
    """One shard was trained and stored.

    Attributes:
        shard: which.
        seconds: what training and storing it took.
        accuracy: means over its trials, as :meth:`.Accuracies.means` has them.
        tuning: how the engine trained, which lack of memory may have changed.
    """

    shard: Shard
    seconds: float
    accuracy: dict[str, float | None]
    tuning: Tuning


class Observer:
    """Is told what :func:`run` does; override what is of interest."""

    def shards_missing(self, missing: Sequence[Shard]) -> None:
        """These are about to be trained."""

    def aimed(self, trials: int) -> None:
        """So many trials are to be there before it is looked whether they are enough."""

    def shard_done(self, done: ShardDone, workers: int) -> None:
        """One was stored while ``workers`` processes were at work."""

    def workers_measured(self, workers: int, rates: dict[int, float]) -> None:
        """``workers`` processes are the fastest; ``rates`` are shards per second at each number."""

    def processes_died(self, workers: int) -> None:
        """Training processes died; it goes on with ``workers`` of them."""

    def shard_damaged(self, damaged: Damaged) -> None:
        """A stored shard was unreadable and set aside; it is trained again."""


class Until(Protocol):
    """Says, between groups of shards, whether there are enough trials."""

    def looks(self) -> Iterable[int]:
        """After how many trials it may be asked, ascending, whole shards."""

    def enough(self, trials: Trials) -> bool:
        """Whether the first trials of the study, so many as one of the looks, are enough."""


class ShardTrainer:
    """Trains shards of one study, one after another, and stores them; a worker keeps one."""

    def __init__(
        self,
        store: ObjectStore,
        study: Study,
        device: str,
        stack: int | None = None,
        cache: ObjectStore | None = None,
    ) -> None:
        """Load the data; train ``stack`` networks at once, or as many as is fastest here.

        ``cache`` keeps the data nearer by than a store that is far away.
        """
        use_one_core()
        compute_reproducibly()
        self._store, self._study, self._device = store, study, device
        self._dataset = catalogue.load_dataset(store, study, cache)
        self._arms = catalogue.load_arms(store, study)
        settled = tuning.settled(store, study, self._dataset, device, stack)
        self._engine = training.restore(study.training).engine(device, settled)

    def train(self, shard: Shard) -> ShardDone:
        """Train and store one shard."""
        start = time.perf_counter()
        trained = trials.train(
            self._study, self._dataset, shard, self._engine, self._device, self._arms
        )
        self._store.put(shard.key(self._study), trials.encode(trained))
        seconds = time.perf_counter() - start
        return ShardDone(shard, seconds, trained.accuracies().means(), self._engine.tuning)


def run(
    study: Study,
    store: ObjectStore,
    dataset: Dataset,
    n_trials: int,
    *,
    workers: int | None = None,
    device: str = "auto",
    stack: int | None = None,
    observer: Observer | None = None,
    until: Until | None = None,
    seconds: float | None = None,
) -> Trials:
    """Train what is missing of the first ``n_trials`` trials and return all that are stored.

    Args:
        study, dataset: from :func:`memtail_core.running.preparation.prepare`.
        store: a folder that every process can open.
        n_trials: rounded up to whole shards.
        workers: processes; None measures, while training, what is fastest here.
        device: "auto", "cpu", "cuda" or "cuda:1".
        stack: networks that a process trains at once; None: what is fastest on such a machine.
        observer: is told of the progress.
        until: says when fewer trials are enough. It is asked after each group of shards, large
            enough to keep all processes at work, and first of what is stored already.
        seconds: after which no shard is started that would not be done by then; the first is.

    The study's goal follows: it is the number of trials that are being trained for, and in the end
    what there is.

    Raises:
        TrainingError, StoreError: what is stored stays, and the same call continues.
    """
    device, observer = resolve_device(device), observer or Observer()
    tuning.check(study, stack)
    catalogue.register(store, study, dataset, n_trials if until is None else 1)
    work = partial(_work, study.to_json(), store.location, device, stack)
    with _Crew(
        work, lambda: parallelism.candidates(study, dataset, device, workers), observer, seconds
    ) as crew:
        for aim in _aims(store, study, n_trials, until, crew):
            if until is not None:
                catalogue.set_goal(store, study, aim)
                observer.aimed(aim)
            loaded = _whole(store, study, aim, crew, observer)
            if crew.is_late or (until is not None and until.enough(_first(loaded, aim))):
                break
    if until is not None or crew.is_late:
        catalogue.set_goal(store, study, min(aim, Progress.of(store, study).n_without_gap))
    return loaded


def _aims(
    store: ObjectStore, study: Study, n_trials: int, until: Until | None, crew: "_Crew"
) -> Iterator[int]:
    """Yield how many trials to have, and then to look at; in the end, all of them.

    Of the looks for which all is stored only the last is taken, so that what was trained before
    is neither looked at again and again nor forgotten.
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
        if look == n_trials or look - before >= crew.size * study.shard_size:
            before = look
            yield look
    if reached is not None:
        yield reached


def _first(loaded: Trials, n: int) -> Trials:
    return loaded.taken(np.flatnonzero(loaded.trials < n))


def _whole(
    store: ObjectStore, study: Study, n_trials: int, crew: "_Crew", observer: Observer
) -> Trials:
    """Train what is missing, damaged shards included, and return all that is stored."""
    for _ in range(_MOST_ROUNDS):
        if missing := Progress.of(store, study, n_trials).missing:
            observer.shards_missing(missing)
            crew.train(missing)
        loaded, damaged = trials.load(store, study, set_aside=True)
        for each in damaged:
            observer.shard_damaged(each)
        if crew.is_late or Progress.of(store, study, n_trials).is_complete:
            return loaded
    raise StoreError(
        f"the store '{store.location}' keeps damaging what is written to it: check its disk"
    )


class _Crew:
    """The processes that train, started when first needed and kept from group to group."""

    def __init__(
        self,
        work: Callable[[Shard], ShardDone],
        candidates: Callable[[], list[int]],
        observer: Observer,
        seconds: float | None,
    ) -> None:
        self._work, self._candidates, self._observer = work, candidates, observer
        self._to_try: list[int] = []
        self._rates: dict[int, float] = {}
        self._pool: Executor | None = None
        self._n_started = self._breaks = 0
        self._open = ExitStack()
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._longest = 0.0
        self.is_late = False

    @property
    def size(self) -> int:
        """How many processes there are, or first would be."""
        self._to_try = self._to_try or self._candidates()
        return max(self._to_try)

    def train(self, missing: Sequence[Shard]) -> None:
        """Train first at each number of processes to try, then at the fastest, until it is late."""
        waiting = list(missing)
        while waiting and not self.is_late:
            try:
                self._train(waiting)
            except (BrokenProcessPool, OutOfMemoryError) as error:
                self._breaks += 1
                self._stop()
                if isinstance(error, OutOfMemoryError) and self.size == 1:
                    raise
                if self._breaks == _MOST_BREAKS:
                    raise TrainingError(
                        "the training processes keep dying, most likely for lack of memory: use "
                        "fewer --workers, --stack 1, or a smaller network; what is stored is safe"
                    ) from error
                self._to_try = [max(1, self.size // 2)]
                self._observer.processes_died(self._to_try[0])

    def _train(self, waiting: list[Shard]) -> None:
        """Take from ``waiting`` what was trained."""
        pool = self._started(min(self.size, len(waiting)))

        def task(shard: Shard) -> Future[ShardDone]:
            return pool.submit(self._work, shard)

        while waiting and not self.is_late:
            workers, is_measurement = parallelism.next_workers(
                self._to_try, self._rates, len(waiting)
            )
            batch = waiting[:workers] if is_measurement else waiting[:]
            rate = 0.0
            for done in _in_flight(task, self._in_time(batch), workers):
                waiting.remove(done.shard)
                self._breaks = 0
                self._longest = max(self._longest, done.seconds)
                rate += 1 / done.seconds
                self._observer.shard_done(done, workers)
            if is_measurement and not self.is_late:
                self._rates[workers] = rate
                if len(self._rates) == len(self._to_try):
                    chosen, _ = parallelism.next_workers(self._to_try, self._rates, len(waiting))
                    self._observer.workers_measured(chosen, self._rates)

    def _in_time(self, batch: list[Shard]) -> Iterator[Shard]:
        """Yield those that can be expected to be done before the end, and in any case the first."""
        for shard in batch:
            late = self._ends is not None and time.monotonic() + self._longest > self._ends
            if late and self._longest:
                self.is_late = True
                return
            yield shard

    def _started(self, workers: int) -> Executor:
        if self._pool is None or self._n_started < workers:
            self._stop()
            self._pool = self._open.enter_context(processes.pool(workers))
            self._n_started = workers
        return self._pool

    def _stop(self) -> None:
        self._pool, self._rates = None, {}
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)


def _in_flight(
    task: Callable[[Shard], "Future[ShardDone]"], batch: Iterator[Shard], workers: int
) -> Iterator[ShardDone]:
    """Yield the shards of ``batch`` as they are done, with at most ``workers`` under way."""
    under_way = set[Future[ShardDone]]()
    while True:
        under_way |= {task(shard) for shard in islice(batch, workers - len(under_way))}
        if not under_way:
            return
        finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()


_Key = tuple[bytes, str, str, int | None]
_trainers: dict[_Key, ShardTrainer] = {}  # of this worker process, at most one


def _work(study: bytes, location: str, device: str, stack: int | None, shard: Shard) -> ShardDone:
    key = (study, location, device, stack)
    if key not in _trainers:
        _trainers.clear()
        _trainers[key] = ShardTrainer(open_store(location), Study.from_json(study), device, stack)
    return _trainers[key].train(shard)
