"""The cost of a run before it starts: models, bytes, and time if it can be known."""

from dataclasses import asdict, dataclass
from typing import Any

from memtail_core.catalogue import Progress
from memtail_core.data import Dataset
from memtail_core.running import parallelism
from memtail_core.running.model_cost import seconds_per_model, store_bytes
from memtail_core.store import ObjectStore
from memtail_core.study import Study


@dataclass(frozen=True)
class Cost:
    """What a run would train, and what it costs.

    Attributes:
        study: its id.
        asked: models asked for.
        trials: the same, rounded up to whole shards.
        stored, missing: models that are stored, and that would be trained.
        device: where they would be trained.
        workers: processes at most; 0 if nothing is missing.
        store_bytes: bytes that the missing models add to the store.
        process_bytes: memory that each of them needs.
        mapped_bytes: records that they map from files, all of them the same; 0 of data in memory.
        seconds_per_model: measured on stored models; None if there are none.
        seconds: the missing models at that rate; None if there is none.
    """

    study: str
    asked: int
    trials: int
    stored: int
    missing: int
    device: str
    workers: int
    store_bytes: int
    process_bytes: int
    mapped_bytes: int
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
    """Estimate what training ``n_trials`` trials costs, without training any.

    Raises:
        TrainingError: not even one model fits in memory, or not ``workers``.
    """
    progress = Progress.of(store, study, n_trials)
    n_missing = progress.n_missing
    to_try = parallelism.candidates(study, dataset, device, workers) if n_missing else [0]
    seconds = seconds_per_model(store, study, progress.stored)
    return Cost(
        study=study.id,
        asked=n_trials,
        trials=progress.n_planned,
        stored=progress.n_planned - n_missing,
        missing=n_missing,
        device=device,
        workers=max(to_try),
        store_bytes=store_bytes(study, len(progress.missing)),
        process_bytes=parallelism.process_bytes(study, dataset, device) if n_missing else 0,
        mapped_bytes=dataset.nbytes - dataset.resident_bytes if dataset.train.is_mapped else 0,
        seconds_per_model=seconds,
        seconds=None if seconds is None else seconds * n_missing / max(1, *to_try),
    )
