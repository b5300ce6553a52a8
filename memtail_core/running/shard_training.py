"""Train one shard: subsets and seeds from the plan, outcomes from the engine, files stored."""

import platform
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np

from memtail_core import catalogue, training
from memtail_core.data import Dataset
from memtail_core.errors import TrainingError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.plan import designs
from memtail_core.plan.arms import Arms
from memtail_core.plan.shards import Shard
from memtail_core.running import features, probability_files, shard_files, tuning
from memtail_core.running.checkpoints import ShardCheckpoints
from memtail_core.running.signing import shard_key
from memtail_core.running.trials import Trials
from memtail_core.running.under_way import Report
from memtail_core.settings import settings
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training import Engine, Tuning
from memtail_core.training.checkpoints import NO_CHECKPOINTS, Checkpoints
from memtail_core.training.device import compute_reproducibly, machine_kind, use_one_core

_PACKAGES = ("memtail", "torch", "torchvision", "numpy", "scikit-learn", "timm", "transformers")


@dataclass(frozen=True)
class TrainedShard:
    """A shard that was trained and stored.

    Attributes:
        shard: which.
        seconds: what training and storing it took, without what interruptions lost.
        accuracy: means over its trials, as :meth:`.Accuracies.means` has them.
        tuning: how the engine trained, which lack of memory may have changed.
    """

    shard: Shard
    seconds: float
    accuracy: dict[str, float | None]
    tuning: Tuning


class ShardTrainer:
    """Trains shards of one study, one after another, and stores them. A worker keeps one."""

    def __init__(
        self,
        store: ObjectStore,
        study: Study,
        device: str,
        stack: int | None = None,
        cache: ObjectStore | None = None,
    ) -> None:
        """Load the data and choose how to train.

        Args:
            store: where the study is.
            study: which.
            device: "cpu", "cuda" or "cuda:1".
            stack: networks trained at once; None: what is fastest on this kind of machine.
            cache: a store nearer by for the data.
        """
        use_one_core()
        compute_reproducibly()
        self._store, self._study, self._device = store, study, device
        self._key = shard_key()
        self._dataset = catalogue.load_dataset(store, study, cache)
        features.supply(store, study, self._dataset, device)
        self._arms = catalogue.load_arms(store, study)
        settled = tuning.settled(store, study, self._dataset, device, stack)
        self._engine = training.restore(study.training).engine(device, settled)
        self._about = {**asdict(settled), **versions(device)}
        self._every = settings().checkpoint_every

    def train(self, shard: Shard, report: Report | None = None) -> TrainedShard:
        """Train and store one shard: its bits last, since they say that it is whole.

        Args:
            shard: which; if its training was interrupted, it is continued.
            report: told every few seconds how far the training is.
        """
        checkpoints = ShardCheckpoints(
            self._store, self._study, shard, self._about, self._every, self._key, report
        )
        try:
            trials, sums = train_shard(
                *(self._study, self._dataset, shard, self._engine, self._device, self._arms),
                checkpoints,
            )
        finally:
            checkpoints.close()
        files = shard_files.encode(
            trials,
            self._key,
            None if sums is None else probability_files.encode(sums, self._study, shard),
        )
        if files.values is not None:
            self._store.put(shard.values_key(self._study), files.values)
        if files.probabilities is not None:
            self._store.put(shard.probabilities_key(self._study), files.probabilities)
        self._store.put(shard.key(self._study), files.bits)
        checkpoints.remove()
        means, tuning = trials.accuracies().means(), self._engine.tuning
        return TrainedShard(shard, checkpoints.seconds, means, tuning)


def train_shard(
    study: Study,
    dataset: Dataset,
    shard: Shard,
    engine: Engine,
    device: str,
    arms: Arms | None = None,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> tuple[Trials, HeldOut | TokenLosses | None]:
    """Train the models of one shard and evaluate each on every example.

    The sums of probabilities are None unless the study keeps them. Everything depends on the
    study (with its arms, for an experiment) and the shard alone; the last bits of a value also on
    the kind of machine and the engine's tuning. Training a shard twice gives the same trials.

    Raises:
        TrainingError: the study keeps probabilities, and the models give none.
    """
    subset = designs.subsets(study, shard.trials, arms)
    seeds = designs.training_seeds(study, shard.trials)
    outcomes = engine.train(dataset, subset, seeds, checkpoints, probabilities=study.probabilities)
    sums: HeldOut | TokenLosses | None = None
    if study.probabilities:
        if outcomes.train_probability is None:
            raise TrainingError(
                f"[study] probabilities = true: '{study.training['recipe']}' gives labels alone; "
                "return logits [n, n_classes] from predict, or leave that key out"
            )
        kind = HeldOut if study.dataset.is_labelled else TokenLosses
        sums = kind.of(subset, outcomes.train_probability)
    trials = Trials(
        n=study.dataset.n_train,
        n_test=study.dataset.n_test,
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(outcomes.train_correct, axis=1),
        test_correct=np.packbits(outcomes.test_correct, axis=1),
        train_values=outcomes.train_value if study.margins else None,
        test_values=outcomes.test_value if study.margins else None,
        trials=np.array(shard.trials, dtype=np.int64),
        seconds=outcomes.seconds,
        rate_share=outcomes.rate_share,
        about=({"study": study.id, "device": device, **asdict(engine.tuning), **versions(device)},),
    )
    return trials, sums


def versions(device: str) -> dict[str, str]:
    """The versions and the machine on which the last bits of a number can depend."""
    from importlib.metadata import PackageNotFoundError, version

    installed = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):  # memtail may run from its source
            installed[name] = version(name)
    return {**installed, "python": platform.python_version(), "machine": machine_kind(device)}
