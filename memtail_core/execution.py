"""Run the missing shards of a study on this machine, in processes; what a worker calls for one.

Interrupting costs the shards in flight and nothing else: a shard is stored whole or not at all.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice

from loky.process_executor import BrokenProcessPool

from memtail_core import catalogue, parallelism, processes, shards, training, trials, tuning
from memtail_core.data import Dataset
from memtail_core.errors import OutOfMemoryError, StoreError, TrainingError
from memtail_core.shards import Shard
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study
from memtail_core.training import Tuning
from memtail_core.training.device import compute_reproducibly, resolve_device, use_one_core
from memtail_core.trials import Damaged, Trials

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

    def shards_missing(self, missing: list[Shard]) -> None:
        """These are about to be trained."""

    def shard_done(self, done: ShardDone, workers: int) -> None:
        """One was stored while ``workers`` processes were at work."""

    def workers_measured(self, workers: int, rates: dict[int, float]) -> None:
        """``workers`` processes are the fastest; ``rates`` are shards per second at each number."""

    def processes_died(self, workers: int) -> None:
        """Training processes died; it goes on with ``workers`` of them."""

    def shard_damaged(self, damaged: Damaged) -> None:
        """A stored shard was unreadable and set aside; it is trained again."""


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
) -> Trials:
    """Train what is missing of the first ``n_trials`` trials and return all that are stored.

    Args:
        study, dataset: from :func:`memtail_core.preparation.prepare`.
        store: a folder that every process can open.
        n_trials: rounded up to whole shards.
        workers: processes; None measures, while training, what is fastest here.
        device: "auto", "cpu", "cuda" or "cuda:1".
        stack: networks that a process trains at once; None: what is fastest on such a machine.
        observer: is told of the progress.

    Raises:
        TrainingError, StoreError: what is stored stays, and the same call continues.
    """
    device, observer = resolve_device(device), observer or Observer()
    tuning.check(study, stack)
    catalogue.register(store, study, dataset, n_trials)
    for _ in range(_MOST_ROUNDS):
        if missing := shards.missing(store, study, n_trials):
            to_try = parallelism.candidates(study, dataset, device, workers)
            observer.shards_missing(missing)
            work = partial(_work, study.to_json(), store.location, device, stack)
            _train(work, missing, to_try, observer)
        loaded, damaged = trials.load(store, study, set_aside=True)
        for each in damaged:
            observer.shard_damaged(each)
        if not shards.missing(store, study, n_trials):
            return loaded
    raise StoreError(
        f"the store '{store.location}' keeps damaging what is written to it: check its disk"
    )


def _train(
    work: Callable[[Shard], ShardDone],
    missing: list[Shard],
    to_try: list[int],
    observer: Observer,
) -> None:
    """Train ``missing``, first at each number of processes in ``to_try``, then at the fastest."""
    waiting, breaks = list(missing), 0
    while waiting:
        try:
            with processes.pool(min(max(to_try), len(waiting))) as pool:
                task = partial(pool.submit, work)
                rates: dict[int, float] = {}
                while waiting:
                    workers, is_measurement = parallelism.next_workers(to_try, rates, len(waiting))
                    batch = waiting[:workers] if is_measurement else waiting[:]
                    rate = 0.0
                    for done in _in_flight(task, batch, workers):
                        waiting.remove(done.shard)
                        breaks = 0
                        rate += 1 / done.seconds
                        observer.shard_done(done, workers)
                    if is_measurement:
                        rates[workers] = rate
                        if len(rates) == len(to_try):
                            chosen, _ = parallelism.next_workers(to_try, rates, len(waiting))
                            observer.workers_measured(chosen, rates)
        except (BrokenProcessPool, OutOfMemoryError) as error:
            breaks += 1
            if isinstance(error, OutOfMemoryError) and max(to_try) == 1:
                raise
            if breaks == _MOST_BREAKS:
                raise TrainingError(
                    "the training processes keep dying, most likely for lack of memory: use fewer "
                    "--workers, --stack 1, or a smaller network; what is stored is safe"
                ) from error
            to_try = [max(1, max(to_try) // 2)]
            observer.processes_died(to_try[0])


def _in_flight(
    task: Callable[[Shard], "Future[ShardDone]"], batch: list[Shard], workers: int
) -> Iterator[ShardDone]:
    """Yield the shards of ``batch`` as they are done, with at most ``workers`` under way."""
    waiting, under_way = iter(batch), set[Future[ShardDone]]()
    while True:
        under_way |= {task(shard) for shard in islice(waiting, workers - len(under_way))}
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
