"""The engine that trains networks by SGD, K at once, with the data on the device."""

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
from memtail_core.training.device import own_randomness
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient.batches import Batch, batch_sizes, batches, learning_rates
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.options import GradientOptions
from memtail_core.training.gradient.resident_data import ResidentData, StoredRows
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory
from memtail_core.training.outcome import Bits, Outcomes, Values, measure_in_batches

# Constants, because the batch size can change the last bits of the logits.
_EVALUATION_ROWS = {"cpu": 512, "cuda": 4096}
_SMALLEST_EVALUATION_BATCH = 64
_EVALUATION_LOGITS = {"cpu": 2**24, "cuda": 2**28}  # at most, where one example has many
_LOWERINGS, _LOWER = 3, 0.25  # how often, and to what share, the rate is lowered for a network

EpochCallback = Callable[[int, NetworkStack, ResidentData], None]  # the epoch counts from 1


class GradientEngine:
    """Trains the networks of a recipe, ``tuning.stack`` at once.

    The networks of one stack train on subsets of the same size. A network that diverges at the
    recipe's own learning rate is trained again at a quarter of it, and again: what it becomes
    depends on its subset and its seed alone. ``Outcomes.rate_share`` says which those are.
    """

    def __init__(self, recipe: GradientOptions, device: str, tuning: Tuning) -> None:
        self._recipe = recipe
        self.device = torch.device(device)
        self.tuning = tuning
        self._data: ResidentData | None = None
        self._stacks: dict[int, tuple[NetworkStack, Callable[[Batch, float], None]]] = {}

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
        self._stacks.clear()
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
        parts, order = [], []
        left, share = np.arange(len(seeds)), 1.0
        for lowering in range(_LOWERINGS + 1):
            networks, data = self.train_stack(dataset, subsets[left], seeds[left], share=share)
            again = self._diverged(networks, dataset, subsets[left])
            if lowering == _LOWERINGS:
                again[:] = False
            train, test = (
                self.outcome(networks, x, y, ~again)
                for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
            )
            made = Outcomes.of(self._recipe.outcome, train, test, 0.0)
            parts.append(made.taken(np.flatnonzero(~again)).at_rate(share))
            order.append(left[~again])
            left, share = left[again], share * _LOWER
            if not len(left):
                break
        together = Outcomes.stack(parts).taken(np.argsort(np.concatenate(order)))
        each = (time.perf_counter() - start) / len(seeds)
        return replace(together, seconds=np.full(len(seeds), each))

    def _diverged(
        self, networks: NetworkStack, dataset: Dataset, subsets: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Say which networks to train again at a lower rate: none, if the user chose the rate."""
        recipe = self._recipe
        if not recipe.may_lower_rate:
            return np.zeros(len(subsets), bool)
        *_, n_classes = recipe.outputs(dataset.feed.shape, len(dataset.classes))
        chance = [
            recipe.objective.chance(dataset, subset, n_classes, recipe.label_smoothing)
            for subset in subsets
        ]
        steps = recipe.n_epochs * len(batch_sizes(int(subsets[0].sum()), recipe.batch_size))
        return networks.losses.diverged(chance, steps)

    def train_stack(
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        callback: EpochCallback | None = None,
        share: float = 1.0,
    ) -> tuple[NetworkStack, ResidentData]:
        """Train one stack; return its networks, valid until the next call, and the resident data.

        Args:
            dataset: the data.
            subsets: bool [K, n], of one size.
            seeds: int64 [K].
            callback: called after each epoch; it may ask the networks for logits, which does not
                change how they continue to train.
            share: of the recipe's learning rate, to train at.
        """
        if self._data is None or self._data.dataset is not dataset:
            dtype = getattr(torch, self.tuning.precision)
            self._data = ResidentData(
                dataset, self._recipe.standardize, self.device, dtype, self._recipe.resized_crop
            )
            self._stacks.clear()
        data = self._data
        with own_randomness(self.device):
            networks, step = self._started(data, seeds.tolist())
            members = torch.from_numpy(np.nonzero(subsets)[1].reshape(len(seeds), -1))
            sizes = batch_sizes(members.shape[1], self._recipe.batch_size)
            rates = learning_rates(self._recipe, self._recipe.n_epochs * len(sizes))
            each = data.fed(batches(self._recipe, members, seeds.tolist(), data.batch_device))
            for steps, (batch, rate) in enumerate(zip(each, rates, strict=True), 1):
                step(batch, rate * share)
                if steps % len(sizes) == 0:
                    networks.losses.end_epoch(members.shape[1])
                if callback is not None and steps % len(sizes) == 0:
                    with own_randomness(self.device):
                        callback(steps // len(sizes), networks, data)
                    networks.network.train()
        return networks, data

    def _started(
        self, data: ResidentData, seeds: list[int]
    ) -> tuple[NetworkStack, Callable[[Batch, float], None]]:
        """Untrained networks and their step; a stack of the same size is used again."""
        if len(seeds) in self._stacks:
            networks, step = self._stacks[len(seeds)]
            networks.restart(seeds)
            return networks, step
        networks = NetworkStack(self._recipe, data, seeds)
        self._stacks[len(seeds)] = networks, networks.recorded_step()
        return self._stacks[len(seeds)]

    def outcome(
        self,
        networks: NetworkStack,
        x: StoredRows,
        y: Tensor,
        wanted: NDArray[np.bool_] | None = None,
    ) -> tuple[Bits, Values | None]:
        """The outcome [K, n] of the networks on stored rows with these labels, in batches.

        Of networks that are not ``wanted``, bool [K], it means nothing.
        """
        unwanted = None if wanted is None or wanted.all() else torch.from_numpy(~wanted)
        rows_at_once = _EVALUATION_ROWS[self.device.type]
        size = max(_SMALLEST_EVALUATION_BATCH, rows_at_once // networks.k)
        size = max(1, min(size, _EVALUATION_LOGITS[self.device.type] // networks.n_logits))

        def evaluated() -> Iterator[tuple[Tensor, Tensor]]:
            for rows, labels in zip(x.split(size), y.split(size), strict=True):
                logits, targets = networks.logits_and_targets(rows, labels)
                if unwanted is not None:
                    each = unwanted.to(logits.device).view(-1, *[1] * (logits.ndim - 1))
                    logits = logits.masked_fill(each, 0.0)
                if not bool(logits.isfinite().all()):
                    raise diverged(self._recipe)
                yield logits, targets

        with own_randomness(self.device):
            return measure_in_batches(self._recipe.outcome, evaluated())


def diverged(recipe: GradientOptions) -> TrainingError:
    """The error for outputs that are not finite, with what to do."""
    return TrainingError(
        f"a model of '{recipe.recipe}' diverged (its outputs are not finite): lower [training] "
        f"learning_rate, now {recipe.learning_rate}"
    )
