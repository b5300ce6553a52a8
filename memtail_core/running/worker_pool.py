"""The training processes of a run: how many, what each trains next, what happens when one dies."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Self

from loky.process_executor import BrokenProcessPool

from memtail_core.errors import OutOfMemoryError, TrainingError
from memtail_core.plan.shards import Shard
from memtail_core.running import parallelism, processes
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.shard_training import ShardTrainer, TrainedShard
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study

_MOST_DEATHS = 3  # of the last process, one after another, without a shard between


class WorkerPool:
    """Processes that train shards of one study; started when first needed, then kept.

    Args:
        study, store: what they train, and where it is stored.
        device: where they train.
        stack: networks that a process trains at once; None: what is fastest on this machine.
        candidates: returns the numbers of processes worth trying, the likeliest first.
        listener: told what happens.
        seconds: after which no shard is started that would not be done by then; the first is.
    """

    def __init__(
        self,
        study: Study,
        store: ObjectStore,
        device: str,
        stack: int | None,
        candidates: Callable[[], list[int]],
        listener: ProgressListener,
        seconds: float | None = None,
    ) -> None:
        self._train_one = partial(_train, study.to_json(), store.location, device, stack)
        self._candidates, self._listener = candidates, listener
        self._to_try: list[int] = []
        self._rates: dict[int, float] = {}
        self._pool: Executor | None = None
        self._n_started = self._deaths = 0
        self._open = ExitStack()
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._longest = 0.0
        self.is_late = False

    @property
    def size(self) -> int:
        """The number of processes there are, or that would be started."""
        self._to_try = self._to_try or self._candidates()
        return max(self._to_try)

    def train(self, missing: Sequence[Shard]) -> None:
        """Train at each number of processes to try, then at the fastest, until it is late.

        When processes die or lack memory, half as many go on.

        Raises:
            TrainingError: a single process keeps dying.
            OutOfMemoryError: a single process does not get the memory to train a model.
        """
        waiting = list(missing)
        while waiting and not self.is_late:
            try:
                self._train(waiting)
            except OutOfMemoryError:
                if self.size == 1:
                    raise
                self._halve()
            except BrokenProcessPool as error:
                self._deaths += 1
                if self.size == 1 and self._deaths >= _MOST_DEATHS:
                    raise TrainingError(
                        "the training processes keep dying, most likely for lack of memory: use "
                        "--stack 1 or a smaller network; what is stored is safe"
                    ) from error
                self._halve()

    def _halve(self) -> None:
        """Go on with half the processes."""
        self._stop()
        self._to_try = [max(1, self.size // 2)]
        self._listener.processes_died(self._to_try[0])

    def _train(self, waiting: list[Shard]) -> None:
        """Train, and take from ``waiting`` each shard that is stored."""
        pool = self._started(min(self.size, len(waiting)))

        def submit(shard: Shard) -> Future[TrainedShard]:
            return pool.submit(self._train_one, shard)

        while waiting and not self.is_late:
            workers, is_measurement = parallelism.next_workers(
                self._to_try, self._rates, len(waiting)
            )
            batch = waiting[:workers] if is_measurement else waiting[:]
            rate = 0.0
            for trained in _in_flight(submit, self._in_time(batch), workers):
                waiting.remove(trained.shard)
                self._deaths = 0
                self._longest = max(self._longest, trained.seconds)
                rate += 1 / trained.seconds
                self._listener.shard_trained(trained, workers)
            if is_measurement and not self.is_late:
                self._rates[workers] = rate
                if len(self._rates) == len(self._to_try):
                    chosen, _ = parallelism.next_workers(self._to_try, self._rates, len(waiting))
                    self._listener.workers_measured(chosen, self._rates)

    def _in_time(self, batch: list[Shard]) -> Iterator[Shard]:
        """Yield the shards that can be expected to be done in time; always the very first."""
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
    submit: Callable[[Shard], "Future[TrainedShard]"], batch: Iterator[Shard], workers: int
) -> Iterator[TrainedShard]:
    """Yield the shards of ``batch`` as they are trained, with at most ``workers`` under way."""
    under_way = set[Future[TrainedShard]]()
    while True:
        under_way |= {submit(shard) for shard in islice(batch, workers - len(under_way))}
        if not under_way:
            return
        finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()


_Key = tuple[bytes, str, str, int | None]
_trainers: dict[_Key, ShardTrainer] = {}  # of this training process, at most one


def _train(
    study: bytes, location: str, device: str, stack: int | None, shard: Shard
) -> TrainedShard:
    """Train one shard, in a training process.

    Raises:
        OutOfMemoryError: Python itself found no memory, for the data or for a model.
    """
    key = (study, location, device, stack)
    try:
        if key not in _trainers:
            _trainers.clear()
            _trainers[key] = ShardTrainer(
                open_store(location), Study.from_json(study), device, stack
            )
        return _trainers[key].train(shard)
    except MemoryError as error:
        raise OutOfMemoryError(
            "there is not enough memory to train a model: use fewer --workers, --stack 1, or a "
            "smaller network"
        ) from error
