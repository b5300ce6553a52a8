"""What a training process keeps between shards: its connections, a study's data, its engine."""

from functools import cached_property

import redis

from memtail_core import catalogue
from memtail_core.errors import StudyError
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.settings import Settings
from memtail_core.store import FilesStore, ObjectStore, open_store
from memtail_core.study import Study
from memtail_core.training.device import resolve_device
from services import broker
from services.orders import Order
from services.worker.wanted import Wanted


class Bench:
    """Made in the process that trains, never before a fork: no connection is shared."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._trainer: tuple[Study, int | None, ShardTrainer] | None = None
        self._studies: dict[str, Study] = {}
        self._wanted: Wanted | None = None

    @cached_property
    def store(self) -> ObjectStore:
        """The store, waited for if it is away."""
        return open_store(self.settings.store, patience=self.settings.store_patience)

    @cached_property
    def client(self) -> "redis.Redis":
        """Redis."""
        return broker.connect(self.settings)

    def study(self, study_id: str) -> Study:
        """Read a study; it never changes."""
        if study_id not in self._studies:
            self._studies[study_id] = catalogue.read(self.store, study_id)
        return self._studies[study_id]

    def wanted(self, study: Study) -> Wanted:
        """What of the study is to be trained, read anew every few seconds."""
        if self._wanted is None or self._wanted.study != study or not self._wanted.is_fresh:
            self._wanted = Wanted.of(self.store, study)
        return self._wanted

    def trainer(self, study: Study, order: Order) -> ShardTrainer:
        """Return the trainer of a study, made anew when the last shard was of another.

        Raises:
            StudyError: it runs code of its own, which is not allowed here.
        """
        if self._trainer is None or self._trainer[:2] != (study, order.stack):
            self.clear()
            recipe = study.training["recipe"]
            if recipe.startswith("python:") and not self.settings.allow_python_recipes:
                raise StudyError(
                    f"this worker does not run code that a study names ('{recipe}'): set "
                    "MEMTAIL_ALLOW_PYTHON_RECIPES=1 on workers that have that code and may run it, "
                    "then memtail retry"
                )
            device = resolve_device(self.settings.device)
            cache = FilesStore(self.settings.cache)
            made = ShardTrainer(self.store, study, device, order.stack, cache)
            self._trainer = study, order.stack, made
        return self._trainer[2]

    def clear(self) -> None:
        """Let go of the data and the engine, which may be half-made after an error."""
        self._trainer = self._wanted = None
