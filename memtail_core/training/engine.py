"""The protocol between a study and whatever trains its models."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.training.checkpoints import NO_CHECKPOINTS, Checkpoints
from memtail_core.training.outcome import Outcomes


@dataclass(frozen=True)
class Tuning:
    """How an engine trains on one kind of machine; it only changes the rounding of a model.

    Attributes:
        stack: networks trained at once.
        precision: the type they multiply in, "float32" or "bfloat16".
    """

    stack: int = 1
    precision: str = "float32"

    def __post_init__(self) -> None:
        if not (isinstance(self.stack, int) and self.stack >= 1):
            raise ValueError(f"stack = {self.stack}")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision = {self.precision}")


UNTUNED = Tuning()


class Engine(Protocol):
    """Trains models, one after another or many at once, and evaluates them.

    ``tests/training/contract.py`` says what every engine must do: model k depends only on its
    subset and its seed, never on the other models of the call.

    Attributes:
        tuning: how it trains; an engine may change it when memory runs out.
    """

    tuning: Tuning

    def train(
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        checkpoints: Checkpoints = NO_CHECKPOINTS,
        *,
        probabilities: bool = False,
    ) -> Outcomes:
        """Train K models and evaluate each on every example.

        Args:
            dataset: the data; an engine keeps it on its device between calls.
            subsets: bool [K, n], row k is True where model k trains on the example.
            seeds: int64 [K]; all randomness of model k comes from seed k.
            checkpoints: where an engine that trains for long keeps its state.
            probabilities: whether to return the probabilities of the classes of each training
                example too, where the models' outputs determine them.

        Raises:
            TrainingError: a model diverged, or the user's code failed.
            OutOfMemoryError: memory does not suffice for even one model.
        """
        ...
