"""How many processes train at once: as many as memory allows and measure fastest here.

Nothing is trained only to be measured: the first shards are run at each candidate number of
processes, and the number that trained them fastest is kept.
"""

from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.errors import TrainingError
from memtail_core.running import machine
from memtail_core.study import Study
from memtail_core.training.device import every_device
from memtail_core.training.gradient.resident_data import READY_BYTES

_PROCESS_BYTES = 400 * 2**20  # Python and torch themselves
_DATASET_COPIES = 2.5  # the stored bytes, the arrays, a batch of floats; of what is in memory
_CLEARLY = 1.05  # fewer processes must be this much faster to be preferred
_WORTH_MEASURING = 3  # measure if there are this many shards per shard spent on it


def candidates(
    study: Study, dataset: Dataset, device: str, workers: int | None = None
) -> list[int]:
    """The numbers of processes worth trying, the most likely first; only ``workers`` if given.

    Raises:
        TrainingError: not even one model fits in memory, or not that many.
    """
    need, free = process_bytes(study, dataset, device), machine.free_memory()
    if need > free:
        raise TrainingError(
            f"training one model needs about {need / 2**30:.1f} GiB of memory, and "
            f"{free / 2**30:.1f} GiB are free: use a smaller network or [dataset] train_limit"
        )
    if workers is not None:
        if workers * need > free:
            raise TrainingError(
                f"--workers {workers} need about {workers * need / 2**30:.1f} GiB of memory, and "
                f"{free / 2**30:.1f} GiB are free: use at most {free // need}"
            )
        return [workers]
    most = min(machine.usable_cores(), free // need)
    gpus = len(every_device(device))
    if gpus > 1:  # each trains networks of its own
        return [min(most, gpus)]
    if device != "cpu":  # one process seldom fills a GPU, many crowd its memory
        most = min(most, 2)
    return sorted({most, max(1, most // 2)}, reverse=True)


def process_bytes(study: Study, dataset: Dataset, device: str) -> int:
    """Bytes of memory that a process needs; records that are mapped are not counted."""
    recipe = training.restore(study.training)
    ready = min(READY_BYTES, 4 * (dataset.train.size + dataset.test.size))
    examples = dataset.resident_bytes if recipe.streams else dataset.nbytes
    need = _PROCESS_BYTES + ready + int(_DATASET_COPIES * examples)
    return need + (recipe.model_bytes(dataset) if device == "cpu" else 0)


def next_workers(to_try: list[int], rates: dict[int, float], shards: int) -> tuple[int, bool]:
    """Return how many processes to use now, and whether that is a measurement.

    Args:
        to_try: the candidates.
        rates: those measured → shards per second.
        shards: how many are left to train.
    """
    unmeasured = [count for count in to_try if count not in rates]
    if len(to_try) > 1 and unmeasured and shards >= _WORTH_MEASURING * sum(unmeasured):
        return unmeasured[0], True
    if not rates:
        return to_try[0], False
    best = max(rates, key=lambda count: rates[count] * (_CLEARLY if count == to_try[0] else 1))
    return best, False
