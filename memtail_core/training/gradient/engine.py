"""The engine that trains networks by SGD, K at once, with the data on the device."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.data import Dataset
from memtail_core.errors import DamagedError, TrainingError
from memtail_core.training.checkpoints import NO_CHECKPOINTS, Checkpoints
from memtail_core.training.device import own_randomness
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient.batches import Batch, batch_sizes, batches, learning_rates
from memtail_core.training.gradient.course import Course, Parts, Rows
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.options import GradientOptions
from memtail_core.training.gradient.resident_data import ResidentData, StoredRows
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory
from memtail_core.training.outcome import Measured, Outcomes, joined, measured

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
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        checkpoints: Checkpoints = NO_CHECKPOINTS,
        *,
        probabilities: bool = False,
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`."""
        call = _Call(dataset, subsets, seeds, checkpoints, probabilities)
        sizes = subsets.sum(1)
        order = np.argsort(sizes, kind="stable")
        with self.reporting_out_of_memory():
            course = self._last(call)
            if len(course.rows):
                self._train_or_split(course, call, course.rows)
            for size in np.unique(sizes):
                rest = [row for row in order[sizes[order] == size] if row not in course.finished]
                waiting = np.array(rest, np.int64)
                while len(waiting):
                    rows, waiting = np.split(waiting, [self.tuning.stack])
                    self._train_or_split(course, call, rows)
        return course.outcomes()

    def _last(self, call: "_Call") -> Course:
        """Where an interrupted call of the same training was, or the beginning."""
        kept = call.checkpoints.last()
        if kept is not None:
            try:
                course = Course.of(
                    kept, call.dataset, len(call.seeds), self._recipe.outcome, call.probabilities
                )
                stack = min(self.tuning.stack, course.stack)  # memory may have run out
                self.tuning = replace(self.tuning, stack=stack)
                return course
            except DamagedError as error:
                call.checkpoints.refuse(str(error))
        return Course(self.tuning.stack)

    def reporting_out_of_memory(self) -> AbstractContextManager[None]:
        """Raise OutOfMemoryError if memory does not suffice for even one network."""
        advice = "a smaller [training] batch_size, or a smaller network"
        return reporting_out_of_memory(self._recipe.recipe, self.device, advice)

    def _train_or_split(self, course: Course, call: "_Call", rows: Rows) -> None:
        """Train together; if memory runs out, train half as many at a time from then on."""
        try:
            self._train_together(course, call, rows)
            return
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or len(rows) == 1:
                raise
        self._stacks.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = -(-len(rows) // 2)
        self.tuning = replace(self.tuning, stack=min(half, self.tuning.stack))
        course.drop(rows, self.tuning.stack)
        for some in (rows[:half], rows[half:]):
            self._train_or_split(course, call, some)

    def _train_together(self, course: Course, call: "_Call", rows: Rows) -> None:
        course.begin(rows)
        while True:
            left, share = course.left, _LOWER**course.lowering
            subsets = call.subsets[left]
            networks, data = self.train_stack(
                call.dataset, subsets, call.seeds[left], None, share, course, call.checkpoints
            )
            again = self._diverged(networks, call.dataset, subsets)
            if course.lowering == _LOWERINGS:
                again[:] = False

            def evaluated(examples: int, networks: NetworkStack = networks) -> None:
                state = partial(course.state, networks)
                call.checkpoints.reached("evaluating", examples * networks.k, state)

            train, test = (
                self.outcome(networks, x, y, ~again, course.measured[name], evaluated, wants)
                for name, x, y, wants in (
                    ("train", data.x_train, data.y_train, call.probabilities),
                    ("test", data.x_test, data.y_test, False),
                )
            )
            made = Outcomes.of(self._recipe.outcome, train, test, 0.0)
            course.finish(left[~again], made.taken(np.flatnonzero(~again)).at_rate(share))
            if not again.any():
                break
            course.lower(left[again], course.lowering + 1)
        course.end()

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
        course: Course | None = None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> tuple[NetworkStack, ResidentData]:
        """Train one stack; return its networks, valid until the next call, and the resident data.

        Args:
            dataset: the data.
            subsets: bool [K, n], of one size.
            seeds: int64 [K].
            callback: called after each epoch; it may ask the networks for logits, which does not
                change how they continue to train.
            share: of the recipe's learning rate, to train at.
            course: of the shard, which may be in the middle of this stack.
            checkpoints: told of each step.
        """
        course = course or Course(len(seeds))
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
            first, state = 0, partial(course.state, networks)
            before = f"{len(course.finished)} trained, " if course.finished else ""
            try:
                first = course.resume(networks)
            except DamagedError as error:
                checkpoints.refuse(str(error))
            each = data.fed(
                batches(self._recipe, members, seeds.tolist(), data.batch_device, first)
            )
            for steps, (batch, rate) in enumerate(zip(each, rates[first:], strict=True), first + 1):
                step(batch, rate * share)
                if steps % len(sizes) == 0:
                    networks.losses.end_epoch(members.shape[1])
                course.steps = steps
                phase = f"{before}epoch {-(-steps // len(sizes))} of {self._recipe.n_epochs}"
                checkpoints.reached(phase, batch.examples.numel(), state)
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
        parts: Parts | None = None,
        evaluated: Callable[[int], None] | None = None,
        probabilities: bool = False,
    ) -> Measured:
        """The outcome [K, n] of the networks on stored rows with these labels, in batches.

        Of networks that are not ``wanted``, bool [K], it means nothing.

        Args:
            networks: K of them.
            x, y: n examples.
            wanted: which networks matter; None: all.
            parts: what is measured already, of whole batches; the rest is added to it.
            evaluated: called after each batch with its size.
            probabilities: whether to measure those of the classes too.
        """
        unwanted = None if wanted is None or wanted.all() else torch.from_numpy(~wanted)
        rows_at_once = _EVALUATION_ROWS[self.device.type]
        size = max(_SMALLEST_EVALUATION_BATCH, rows_at_once // networks.k)
        size = max(1, min(size, _EVALUATION_LOGITS[self.device.type] // networks.n_logits))
        parts = [] if parts is None else parts
        start = sum(part.correct.shape[1] for part in parts)
        if start < len(y):
            rest = x[start:].split(size) if isinstance(x, Tensor) else x.split(size, start)
            with own_randomness(self.device):
                for rows, labels in zip(rest, y[start:].split(size), strict=True):
                    logits, targets = networks.logits_and_targets(rows, labels)
                    if unwanted is not None:
                        each = unwanted.to(logits.device).view(-1, *[1] * (logits.ndim - 1))
                        logits = logits.masked_fill(each, 0.0)
                    if not bool(logits.isfinite().all()):
                        raise diverged(self._recipe)
                    parts.append(measured(self._recipe.outcome, logits, targets, probabilities))
                    if evaluated is not None:
                        evaluated(len(labels))
        return joined(parts)


@dataclass(frozen=True)
class _Call:
    """What :meth:`GradientEngine.train` was called with."""

    dataset: Dataset
    subsets: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    checkpoints: Checkpoints
    probabilities: bool


def diverged(recipe: GradientOptions) -> TrainingError:
    """The error for outputs that are not finite, with what to do."""
    return TrainingError(
        f"a model of '{recipe.recipe}' diverged (its outputs are not finite): lower [training] "
        f"learning_rate, now {recipe.learning_rate}"
    )
