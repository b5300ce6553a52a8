"""What one more model costs: seconds, by those that are stored, and bytes of the store."""

from collections.abc import Sequence

from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running.loading import load_shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study, n_probabilities

_MOST_TRIED = 10  # shards, of which all but one may be damaged
_SHARD_BYTES = 2900  # headers and provenance of a shard's file


def store_bytes(study: Study, n_shards: int) -> int:
    """The bytes of so many shards in the store."""
    n, n_test = study.dataset.n_train, study.dataset.n_test
    per_model = (2 * n + n_test) / 8 + (2 * (n + n_test) if study.margins else 0) + 16
    of = study.dataset
    sums = 8 + 8 * n_probabilities(of.classes, of.shape) if study.probabilities else 0
    return round(n_shards * (study.shard_size * per_model + sums * n + _SHARD_BYTES))


def seconds_per_model(store: ObjectStore, study: Study, stored: Sequence[Shard]) -> float | None:
    """The time a model takes, by the last of the ``stored`` shards, or of a few before it."""
    for shard in reversed(stored[-_MOST_TRIED:]):
        try:
            trials = load_shard(store, study, shard)
        except (StoreError, KeyError):
            continue
        return trials.seconds_per_trial
    return None
