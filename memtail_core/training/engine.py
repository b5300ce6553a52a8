"""The one protocol between a study and whatever trains its models, and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset

MARGIN_LIMIT = 100.0  # beyond it a margin says nothing more, and float16 has little room


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What K trained models make of every training and test example.

    Attributes:
        train_correct: bool [K, n], 1[h_k(x_i) = y_i].
        test_correct: bool [K, n_test].
        train_margin: float16 [K, n], log p_y − log(1 − p_y) clipped to ± 100, or None where the
            models give no probabilities.
        test_margin: the same for the test examples.
        seconds: float64 [K], what training and evaluating each model took; of those trained at
            once, each its share.
    """

    train_correct: NDArray[np.bool_]
    test_correct: NDArray[np.bool_]
    train_margin: NDArray[np.float16] | None
    test_margin: NDArray[np.float16] | None
    seconds: NDArray[np.float64]

    def taken(self, order: NDArray[np.intp]) -> "Outcomes":
        """Return the outcomes of models ``order``, in that order."""
        train_margin, test_margin = self.train_margin, self.test_margin
        return Outcomes(
            self.train_correct[order],
            self.test_correct[order],
            None if train_margin is None else train_margin[order],
            None if test_margin is None else test_margin[order],
            self.seconds[order],
        )

    @classmethod
    def stack(cls, parts: "Sequence[Outcomes]") -> "Outcomes":
        """Join the outcomes of several models, in order."""

        def margins(name: str) -> NDArray[np.float16] | None:
            found = [getattr(part, name) for part in parts]
            return None if any(margin is None for margin in found) else np.concatenate(found)

        return cls(
            np.concatenate([part.train_correct for part in parts]),
            np.concatenate([part.test_correct for part in parts]),
            margins("train_margin"),
            margins("test_margin"),
            np.concatenate([part.seconds for part in parts]),
        )


@dataclass(frozen=True)
class Tuning:
    """How an engine trains on one kind of machine; it changes a model's rounding, nothing else.

    Attributes:
        stack: networks trained at once.
        precision: what they multiply in, "float32" or "bfloat16".
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
    """Trains models: one after another, or many at once.

    ``tests/training/contract.py`` says what every engine must do: model k depends on its subset
    and its seed alone, never on its neighbours in the call.

    Attributes:
        tuning: how it trains; an engine may change it when memory runs out.
    """

    tuning: Tuning

    def train(
        self, dataset: Dataset, subsets: NDArray[np.bool_], seeds: NDArray[np.int64]
    ) -> Outcomes:
        """Train K models and evaluate each on every example.

        Args:
            dataset: the data; an engine keeps them on its device between calls.
            subsets: bool [K, n], row k True where model k trains.
            seeds: int64 [K], all of model k's randomness.

        Raises:
            TrainingError: a model diverged, memory ran out, or the user's code failed.
        """
        ...
