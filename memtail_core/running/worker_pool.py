"""The training processes of a run: how many, what each trains next, what happens when one dies."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from loky.process_executor import BrokenProcessPool

from memtail_core.errors import OutOfMemoryError, TrainingError
from memtail_core.plan.shards import Shard
from memtail_core.running import parallelism, processes
from memtail_core.running.claims import Claims
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.shard_training import ShardTrainer, TrainedShard
from memtail_core.running.under_way import EVERY, forget, into, read
from memtail_core.settings import settings
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study
from memtail_core.training.device import every_device

_AGAIN = 1.0  # seconds between two looks at what other runs train
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
        self._study, self._store, self._device, self._stack = study, store, device, stack
        self._claims = Claims(store, study, settings().lease)
        self._candidates, self._listener = candidates, listener
        self._to_try: list[int] = []
        self._rates: dict[int, float] = {}
        self._places: list[_Place] = []
        self._elsewhere: set[Shard] = set()
        self._deaths = 0
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
        self._start(min(self.size, len(waiting)))
        while waiting and not self.is_late:
            free = [shard for shard in waiting if shard not in self._elsewhere]
            if not free:
                self._wait_for_others(waiting)
                continue
            workers, is_measurement = parallelism.next_workers(self._to_try, self._rates, len(free))
            batch = free[:workers] if is_measurement else free
            rate, n_trained = 0.0, 0
            for trained in self._in_flight(self._claimed(self._in_time(batch), waiting), workers):
                self._claims.end(trained.shard)
                waiting.remove(trained.shard)
                self._deaths, n_trained = 0, n_trained + 1
                self._longest = max(self._longest, trained.seconds)
                rate += 1 / trained.seconds
                self._listener.shard_trained(trained, workers)
            if is_measurement and n_trained == workers:
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

    def _claimed(self, batch: Iterator[Shard], waiting: list[Shard]) -> Iterator[Shard]:
        """Claim each shard and yield it; leave out those that other runs train or have stored."""
        for shard in batch:
            if not self._claims.take(shard):
                self._elsewhere.add(shard)
            elif self._store.exists(shard.key(self._study)):
                self._claims.end(shard)
                waiting.remove(shard)
                self._listener.shard_stored_elsewhere(shard)
            else:
                yield shard

    def _wait_for_others(self, waiting: list[Shard]) -> None:
        """Wait a moment for the runs that train all the rest; look whether any claim has ended."""
        self._listener.shards_elsewhere(waiting)
        time.sleep(_AGAIN)
        self._elsewhere.clear()
        self.is_late = self._ends is not None and time.monotonic() > self._ends

    def _in_flight(self, batch: Iterator[Shard], workers: int) -> Iterator[TrainedShard]:
        """Yield the shards of ``batch`` as they are trained, at most ``workers`` at a time."""
        free = deque(self._places)
        under_way: dict[Future[TrainedShard], _Place] = {}
        while True:
            for shard in islice(batch, workers - len(under_way)):
                place = free.popleft()
                under_way[place.executor.submit(place.train, shard)] = place
            if not under_way:
                return
            finished, _ = wait(under_way, timeout=EVERY, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=_has_failed):  # what is trained is told first
                free.append(under_way.pop(future))
                trained = future.result()
                forget(self._reports, trained.shard)
                yield trained
            if not finished and (reports := read(self._reports)):
                self._listener.shards_under_way(reports)

    def _start(self, workers: int) -> None:
        """Start so many processes, unless there are as many: on GPUs, one after the other."""
        if len(self._places) >= workers:
            return
        self._stop()
        self._reports = Path(self._open.enter_context(TemporaryDirectory(prefix="memtail-")))
        devices = every_device(self._device)
        study, location = self._study.to_json(), self._store.location
        executors = {
            device: self._open.enter_context(processes.pool(count))
            for device, count in Counter(islice(cycle(devices), workers)).items()
        }
        for device in islice(cycle(devices), workers):
            train = partial(_train, study, location, device, self._stack, self._reports)
            self._places.append(_Place(executors[device], train))

    def _stop(self) -> None:
        self._places, self._rates = [], {}
        self._open.close()
        self._claims.end_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)
        self._claims.close()


def _has_failed(future: "Future[TrainedShard]") -> bool:
    return future.exception() is not None


@dataclass(frozen=True)
class _Place:
    """Where one shard at a time is trained: one of the processes of an executor, on one device."""

    executor: Executor
    train: Callable[[Shard], TrainedShard]


_Key = tuple[bytes, str, str, int | None]
_trainers: dict[_Key, ShardTrainer] = {}  # of this training process, at most one


def _train(
    study: bytes, location: str, device: str, stack: int | None, reports: Path, shard: Shard
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
        return _trainers[key].train(shard, into(reports, shard))
    except MemoryError as error:
        raise OutOfMemoryError(
            "there is not enough memory to train a model: use fewer --workers, --stack 1, or a "
            "smaller network"
        ) from error
