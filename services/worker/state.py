"""What a training process keeps between shards: connections, a study, its data, its engine."""

import time
from functools import cached_property

import redis
from billiard.process import current_process

from memtail_core import catalogue, training
from memtail_core.catalogue import Demand
from memtail_core.data.user_code import named_by
from memtail_core.errors import MachineError, StudyError
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.settings import Settings
from memtail_core.store import FilesStore, ObjectStore, open_store
from memtail_core.study import Study
from memtail_core.training.device import every_device, resolve_device
from services import broker
from services.orders import Order
from services.presence import version_here

_FRESH = 2.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds


class WorkerState:
    """Made in the process that trains, never before a fork: no connection is shared."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._trainer: tuple[Study, int | None, ShardTrainer] | None = None
        self._studies: dict[str, Study] = {}
        self._demand: tuple[Demand, float] | None = None
        self._n_pauses = 0

    @cached_property
    def store(self) -> ObjectStore:
        """The store; if it cannot be reached, every call waits for it for a while."""
        return open_store(self.settings.store, patience=self.settings.store_patience)

    @cached_property
    def client(self) -> "redis.Redis":
        """Redis."""
        return broker.connect(self.settings)

    def has(self, study_id: str) -> bool:
        """Whether the store has the study: a worker may be connected to another store."""
        return self.store.exists(f"studies/{study_id}/study.json")

    def study(self, study_id: str) -> Study:
        """Read a study; it never changes.

        Raises:
            MachineError: this worker cannot read it; one of another version or store may.
        """
        if study_id not in self._studies:
            try:
                self._studies[study_id] = catalogue.read(self.store, study_id)
            except KeyError:
                raise MachineError(
                    f"the store of this worker, {self.store.location}, has no study {study_id}: "
                    "set MEMTAIL_STORE to the store that the study was submitted to"
                ) from None
            except StudyError as error:
                raise MachineError(
                    f"this worker, memtail {version_here()}, cannot read the study: {error}"
                ) from error
        return self._studies[study_id]

    def demand(self, study: Study) -> Demand:
        """Which shards are wanted, at most two seconds ago: short shards need not wait for it."""
        now = time.monotonic()
        if self._demand is None or self._demand[0].study != study or now > self._demand[1]:
            self._demand = Demand.of(self.store, study), now + _FRESH
        return self._demand[0]

    def trainer(self, study: Study, order: Order) -> ShardTrainer:
        """Return the trainer of a study, a new one if the last shard was of another study.

        Raises:
            MachineError: this worker cannot train it: memtail or the study's code are of another
                version here, or the code is missing or not allowed.
        """
        if self._trainer is None or self._trainer[:2] != (study, order.stack):
            self.clear()
            self._check_recipe(study)
            device = self._own_device()
            cache = FilesStore(self.settings.cache)
            made = ShardTrainer(self.store, study, device, order.stack, cache)
            self._trainer = study, order.stack, made
        return self._trainer[2]

    def _own_device(self) -> str:
        """The device of this process: of a worker with several GPUs, each process has its own."""
        devices = every_device(resolve_device(self.settings.device))
        return devices[getattr(current_process(), "index", 0) % len(devices)]

    def _check_recipe(self, study: Study) -> None:
        """Check that this worker trains the models that the study describes."""
        code = named_by(study.training)
        if code is not None and not self.settings.allow_python_recipes:
            raise MachineError(
                f"this worker does not run code that a study names ('{code}'): set "
                "MEMTAIL_ALLOW_PYTHON_RECIPES=1 on workers that have this code and may run it, "
                "then run memtail retry"
            )
        try:
            training.restore(study.training)
        except StudyError as error:
            raise MachineError(
                f"this worker, memtail {version_here()}, cannot train the study: {error}"
            ) from error

    def pause(self) -> None:
        """Take nothing for a while, longer each time: other workers take what this one cannot."""
        time.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._n_pauses, 10)))
        self._n_pauses += 1

    def clear(self) -> None:
        """Let go of the data and the engine, which may be half-made after an error."""
        self._trainer = self._demand = None
