"""What a run will take, before it starts: models, bytes, and time where it can be known."""

from dataclasses import asdict, dataclass
from typing import Any

from memtail_core.catalogue import Progress
from memtail_core.catalogue.stored import stored_shards
from memtail_core.data import Dataset
from memtail_core.errors import StoreError
from memtail_core.running import parallelism, trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_SHARD_BYTES = 2900  # headers and provenance of a shard's file


@dataclass(frozen=True)
class Cost:
    """What a run would do.

    Attributes:
        study: its id.
        asked: models asked for.
        trials: models there will be: whole shards.
        stored, missing: models that are there, and that would be trained.
        device: where.
        workers: processes at most; 0 if nothing is missing.
        store_bytes: what the missing models add to the store.
        seconds_per_model: measured on the models already there; None if there are none.
        seconds: all that is missing at that rate; None likewise.
    """

    study: str
    asked: int
    trials: int
    stored: int
    missing: int
    device: str
    workers: int
    store_bytes: int
    seconds_per_model: float | None
    seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def estimate(
    store: ObjectStore,
    study: Study,
    dataset: Dataset,
    n_trials: int,
    device: str,
    workers: int | None = None,
) -> Cost:
    """Say what training ``n_trials`` trials takes, without training any.

    Raises:
        TrainingError: not even one model fits in memory, or not ``workers``.
    """
    progress = Progress.of(store, study, n_trials)
    n_missing = progress.n_missing
    to_try = parallelism.candidates(study, dataset, device, workers) if n_missing else [0]
    seconds = seconds_per_model(store, study)
    return Cost(
        study=study.id,
        asked=n_trials,
        trials=progress.n_planned,
        stored=progress.n_planned - n_missing,
        missing=n_missing,
        device=device,
        workers=max(to_try),
        store_bytes=store_bytes(study, len(progress.missing)),
        seconds_per_model=seconds,
        seconds=None if seconds is None else seconds * n_missing / max(1, *to_try),
    )


def store_bytes(study: Study, n_shards: int) -> int:
    """What so many shards take in the store."""
    n, n_test = study.dataset.n_train, study.dataset.n_test
    per_model = (2 * n + n_test) / 8 + (2 * (n + n_test) if study.margins else 0) + 16
    return round(n_shards * (study.shard_size * per_model + _SHARD_BYTES))


def seconds_per_model(store: ObjectStore, study: Study) -> float | None:
    """What a model took, from the last stored shard that can be read."""
    for shard in reversed(stored_shards(store, study)):
        try:
            found = trials.decode(store.get(shard.key(study)), study, shard)
        except (StoreError, KeyError):
            continue
        return float(found.seconds.mean())
    return None
