"""The engine that trains networks by SGD: one at a time or K at once, data on the device."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.data import Dataset
from memtail_core.errors import TrainingError
from memtail_core.training.batches import Batch, batch_sizes, batches, learning_rates
from memtail_core.training.device import own_randomness
from memtail_core.training.engine import Tuning
from memtail_core.training.fitting import Fit
from memtail_core.training.gradient_options import GradientOptions
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory
from memtail_core.training.outcome import Bits, Outcomes, Values, measure_in_batches
from memtail_core.training.resident import ResidentData

# Constants, for the batch can change the last bits of the logits: what a cache, or a GPU, likes.
_EVALUATION_ROWS = {"cpu": 512, "cuda": 4096}
_SMALLEST_EVALUATION_BATCH = 64

EpochCallback = Callable[[int, Fit, ResidentData], None]  # with the number of the epoch, from 1


class GradientEngine:
    """Trains a :class:`GradientOptions`, ``tuning.stack`` networks at once.

    A stack's networks train on subsets of one size; where sizes differ, so do the stacks.
    """

    def __init__(self, recipe: GradientOptions, device: str, tuning: Tuning) -> None:
        self._recipe = recipe
        self.device = torch.device(device)
        self.tuning = tuning
        self._data: ResidentData | None = None
        self._fits: dict[int, tuple[Fit, Callable[[Batch, float], None]]] = {}

    def train(
        self, dataset: Dataset, subsets: NDArray[np.bool_], seeds: NDArray[np.int64]
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`."""
        sizes = subsets.sum(1)
        order = np.argsort(sizes, kind="stable")
        parts = []
        with self.reporting_out_of_memory():
            for size in np.unique(sizes):
                waiting = order[sizes[order] == size]
                while len(waiting):
                    rows, waiting = np.split(waiting, [self.tuning.stack])
                    parts.append(self._train_or_split(dataset, subsets[rows], seeds[rows]))
        return Outcomes.stack(parts).taken(np.argsort(order))

    def reporting_out_of_memory(self) -> AbstractContextManager[None]:
        """Raise OutOfMemoryError if memory does not suffice for even one network."""
        advice = "a smaller [training] batch_size, or a smaller network"
        return reporting_out_of_memory(self._recipe.recipe, self.device, advice)

    def _train_or_split(
        self, dataset: Dataset, subsets: NDArray[np.bool_], seeds: NDArray[np.int64]
    ) -> Outcomes:
        """Train together; if memory runs out, train half as many at a time from then on."""
        try:
            return self._train_together(dataset, subsets, seeds)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or len(seeds) == 1:
                raise
        self._fits.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = -(-len(seeds) // 2)
        self.tuning = replace(self.tuning, stack=min(half, self.tuning.stack))
        return Outcomes.stack(
            [
                self._train_or_split(dataset, subsets[rows], seeds[rows])
                for rows in (slice(None, half), slice(half, None))
            ]
        )

    def _train_together(
        self, dataset: Dataset, subsets: NDArray[np.bool_], seeds: NDArray[np.int64]
    ) -> Outcomes:
        start = time.perf_counter()
        fit, data = self.fitted(dataset, subsets, seeds)
        train = self.outcome(fit, data.x_train, data.y_train)
        test = self.outcome(fit, data.x_test, data.y_test)
        return Outcomes.of(self._recipe.outcome, train, test, time.perf_counter() - start)

    def fitted(
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        callback: EpochCallback | None = None,
    ) -> tuple[Fit, ResidentData]:
        """Train one stack; return its networks, until the next one's, and the data they know.

        Args:
            dataset: the data.
            subsets: bool [K, n], of one size.
            seeds: int64 [K].
            callback: called after each epoch; it may ask the networks for logits, which does not
                change how they continue to train.
        """
        if self._data is None or self._data.dataset is not dataset:
            dtype = getattr(torch, self.tuning.precision)
            self._data = ResidentData(dataset, self._recipe.standardize, self.device, dtype)
            self._fits.clear()
        data = self._data
        with own_randomness(self.device):
            fit, step = self._started(data, seeds.tolist())
            members = torch.from_numpy(np.nonzero(subsets)[1].reshape(len(seeds), -1))
            sizes = batch_sizes(members.shape[1], self._recipe.batch_size)
            rates = learning_rates(self._recipe, self._recipe.n_epochs * len(sizes))
            each = batches(self._recipe, members, seeds.tolist(), self.device)
            for steps, (batch, rate) in enumerate(zip(each, rates, strict=True), 1):
                step(batch, rate)
                if callback is not None and steps % len(sizes) == 0:
                    with own_randomness(self.device):
                        callback(steps // len(sizes), fit, data)
                    fit.network.train()
        return fit, data

    def _started(
        self, data: ResidentData, seeds: list[int]
    ) -> tuple[Fit, Callable[[Batch, float], None]]:
        """Untrained networks, and their step: what was set up (and recorded) once serves again."""
        if len(seeds) in self._fits:
            fit, step = self._fits[len(seeds)]
            fit.restart(seeds)
            return fit, step
        fit = Fit(self._recipe, data, seeds)
        self._fits[len(seeds)] = fit, fit.recorded_step()
        return self._fits[len(seeds)]

    def outcome(self, fit: Fit, x: Tensor, y: Tensor) -> tuple[Bits, Values | None]:
        """The outcome [K, n] of the networks on stored rows and their labels, in batches."""
        rows_at_once = _EVALUATION_ROWS[self.device.type]
        size = max(_SMALLEST_EVALUATION_BATCH, rows_at_once // fit.k)

        def evaluated() -> Iterator[tuple[Tensor, Tensor]]:
            for rows, labels in zip(x.split(size), y.split(size), strict=True):
                logits = fit.logits(rows)
                if not bool(logits.isfinite().all()):
                    raise diverged(self._recipe)
                yield logits, labels

        with own_randomness(self.device):
            return measure_in_batches(self._recipe.outcome, evaluated())


def diverged(recipe: GradientOptions) -> TrainingError:
    """What to do when a network's outputs are not finite."""
    return TrainingError(
        f"a model of '{recipe.recipe}' diverged (its outputs are not finite): lower [training] "
        f"learning_rate, now {recipe.learning_rate}"
    )
