"""The engine of ``linear``: all models of a shard are one problem."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.data import Dataset
from memtail_core.training.checkpoints import NO_CHECKPOINTS, Checkpoints
from memtail_core.training.device import own_randomness
from memtail_core.training.engine import UNTUNED
from memtail_core.training.gradient.resident_data import ResidentData, StoredRows
from memtail_core.training.linear.regressions import Regressions
from memtail_core.training.memory import reporting_out_of_memory
from memtail_core.training.outcome import Measured, Outcome, Outcomes, measure_in_batches
from memtail_core.training.recipe import Recipe

_ROWS = 1024  # made ready at once
_LOGITS = 2**20  # evaluated at once


class LinearEngine:
    """Trains regressions in float32; keeps the data and the common start between calls.

    ``l2``, ``tolerance`` and ``standardize`` are the options of :class:`.Linear`.
    """

    tuning = UNTUNED

    def __init__(
        self, recipe: Recipe, l2: float, tolerance: float, standardize: bool, device: str
    ) -> None:
        self._recipe, self._standardize = recipe, standardize
        self._l2, self._tolerance = l2, tolerance
        self._device = torch.device(device)
        self._kept: tuple[Dataset, Regressions, Tensor, Tensor] | None = None

    def train(
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        checkpoints: Checkpoints = NO_CHECKPOINTS,
        *,
        probabilities: bool = False,
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`; the seeds have no effect."""
        del checkpoints
        start = time.perf_counter()
        outcome = self._recipe.outcome
        advice = "fewer features, or a smaller [dataset] train_limit"
        with (
            reporting_out_of_memory(self._recipe.recipe, self._device, advice),
            own_randomness(self._device),
        ):
            regressions, x_test, y_test = self._ready(dataset)
            weights = regressions.solved(torch.from_numpy(subsets).to(self._device))
            train = _outcome(outcome, weights, regressions.x, regressions.y, probabilities)
            test = _outcome(outcome, weights, x_test, y_test)
        return Outcomes.of(outcome, train, test, time.perf_counter() - start)

    def _ready(self, dataset: Dataset) -> tuple[Regressions, Tensor, Tensor]:
        """The regressions, and the test examples [n_test, d + 1] with their labels."""
        if self._kept is None or self._kept[0] is not dataset:
            self._kept = None  # free the old data before the new are loaded
            data = ResidentData(dataset, self._standardize, self._device)
            x, x_test = _features(data, data.x_train), _features(data, data.x_test)
            y, y_test = data.y_train, data.y_test
            del data
            regressions = Regressions(x, y, len(dataset.classes), self._l2, self._tolerance)
            self._kept = dataset, regressions, x_test, y_test
        return self._kept[1:]


def _features(data: ResidentData, rows: StoredRows) -> Tensor:
    """Stored rows as a network sees them, flattened, with a 1 at the end: float32 [n, d + 1]."""
    d = int(np.prod(data.shape))
    x = torch.ones(len(rows), d + 1, device=rows.device)
    for some, into in zip(rows.split(_ROWS), x.split(_ROWS), strict=True):
        into[:, :d] = data.inputs(some).flatten(1)
    return x


def _outcome(
    outcome: Outcome, weights: Tensor, x: Tensor, y: Tensor, probabilities: bool = False
) -> Measured:
    """The outcome [K, n] at the logits of weights [K, C, d + 1] for x [n, d + 1]."""
    k, c, d = weights.shape
    rows = max(64, _LOGITS // (k * c))
    return measure_in_batches(
        outcome,
        (
            ((weights.view(-1, d) @ some.T).view(k, c, -1).transpose(1, 2), labels)
            for some, labels in zip(x.split(rows), y.split(rows), strict=True)
        ),
        probabilities,
    )
