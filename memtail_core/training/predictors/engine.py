"""The engine that trains one predictor after another, each by a call of any function."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.modalities import Feed
from memtail_core.errors import TrainingError
from memtail_core.training.checkpoints import NO_CHECKPOINTS, Checkpoints
from memtail_core.training.engine import UNTUNED
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory
from memtail_core.training.outcome import Measured, Outcome, Outcomes, measured
from memtail_core.training.recipe import Recipe

Predictions = tuple[NDArray[np.int64], NDArray[Any] | None]  # labels [n], logits [n, C] or None
Predictor = Callable[[Any], Predictions]


class Train(Protocol):
    """Trains one model."""

    def __call__(
        self, x: NDArray[Any], y: NDArray[np.int64], seed: int, n_classes: int
    ) -> Predictor:
        """Return the predictor trained on the examples x [m, …] with the labels y [m]."""
        ...


class PredictorEngine:
    """Trains one predictor after another."""

    tuning = UNTUNED

    def __init__(
        self, recipe: Recipe, train_one: Train, inputs: Callable[[NDArray[Any], Feed], NDArray[Any]]
    ) -> None:
        self._recipe, self._train_one, self._inputs = recipe, train_one, inputs

    def ready(self, dataset: Dataset) -> tuple[Any, Any]:
        """Return both sets in the form that a model takes, [n, …] and [n_test, …]."""
        train, test = dataset.train.whole(), dataset.test.whole()
        return self._inputs(train, dataset.feed), self._inputs(test, dataset.feed)

    def train(
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        checkpoints: Checkpoints = NO_CHECKPOINTS,
        *,
        probabilities: bool = False,
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`; a predictor keeps no state."""
        del checkpoints
        advice = "or a smaller [dataset] train_limit"
        with reporting_out_of_memory(self._recipe.recipe, "cpu", advice):
            x_train, x_test = map(_read_only, self.ready(dataset))
            parts = []
            for subset, seed in zip(subsets, seeds, strict=True):
                start = time.perf_counter()
                with self._reporting_failures(), redirect_stdout(sys.stderr):
                    x, y = x_train[subset], dataset.y_train[subset]
                    predict = self._train_one(x, y, int(seed), len(dataset.classes))
                    train, test = predict(x_train), predict(x_test)
                outcome = self._recipe.outcome
                parts.append(
                    Outcomes.of(
                        outcome,
                        _measured(outcome, train, dataset.y_train, probabilities),
                        _measured(outcome, test, dataset.y_test),
                        time.perf_counter() - start,
                    )
                )
        return Outcomes.stack(parts)

    @contextmanager
    def _reporting_failures(self) -> Iterator[None]:
        """Raise TrainingError for anything the user's code raises, except out of memory."""
        try:
            yield
        except TrainingError:
            raise
        except (Exception, SystemExit) as error:
            if is_out_of_memory(error):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise TrainingError(f"'{self._recipe.recipe}' failed: {reason}") from error


def _read_only(x: Any) -> Any:
    """A read-only view: the next trial needs the same data. Sparse matrices stay as they are."""
    if not isinstance(x, np.ndarray):
        return x
    view = x.view()
    view.flags.writeable = False
    return view


def _measured(
    outcome: Outcome, predictions: Predictions, y: NDArray[np.int64], probabilities: bool = False
) -> Measured:
    """Measure one model [1, n]: whether its labels are right, and the value its logits give."""
    import torch

    labels, logits = predictions
    target = torch.from_numpy(y)
    of_labels = measured(outcome, torch.from_numpy(labels)[None], target)
    if logits is None:
        return of_labels
    output = torch.from_numpy(np.asarray(logits, np.float64))[None]
    return measured(outcome, output, target, probabilities)._replace(correct=of_labels.correct)
