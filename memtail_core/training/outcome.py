"""What a trial records about each example: a correctness bit and, where there is one, a real value.

An :class:`Outcome` is the seam between what a model outputs and what a study keeps. A recipe names
its outcome (``Recipe.outcome``); engines apply it and know nothing else about targets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Bits = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Value:
    """The real value of an outcome.

    Attributes:
        name: what it is called, "margin".
        dtype: the numpy type it is kept in, "float16".
        low, high: the range it is clipped to.
    """

    name: str
    dtype: str
    low: float
    high: float


class Outcome(Protocol):
    """Compares what models output with what they should output.

    ``tests/training/outcome_contract.py`` says what every outcome must do: it treats each model and
    each example by itself, and its values are finite, of the declared type and in the declared
    range.
    """

    @property
    def value(self) -> Value | None:
        """What the real value is; None if this outcome has only bits."""
        ...

    def measure(self, output: Tensor, target: Tensor) -> tuple[Bits, Values | None]:
        """Return the correctness, bool [K, n], and the value [K, n], of K models on n examples.

        The value is None if ``output`` does not determine it.

        Args:
            output: what the models output, [K, n, …].
            target: what they should output, [n, …].
        """
        ...


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of K trained models on every training and test example.

    Attributes:
        train_correct: bool [K, n], 1[h_k(x_i) = y_i].
        test_correct: bool [K, n_test].
        train_value: [K, n], or None where the models' outputs do not determine it.
        test_value: the same for the test examples.
        seconds: float64 [K], the time to train and evaluate each model; models trained together
            share it equally.
        value: the name of the value, "margin"; None if there is none.
        rate_share: float64 [K], the share of the recipe's learning rate that each model was trained
            at, since it diverged at higher ones; None where all were trained as the recipe says.
    """

    train_correct: Bits
    test_correct: Bits
    train_value: Values | None
    test_value: Values | None
    seconds: NDArray[np.float64]
    value: str | None
    rate_share: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        train: tuple[Bits, Values | None],
        test: tuple[Bits, Values | None],
        seconds: float,
    ) -> "Outcomes":
        """Put together what ``outcome`` measured of models that took ``seconds`` in all."""
        (train_correct, train_value), (test_correct, test_value) = train, test
        each = np.full(len(train_correct), seconds / len(train_correct))
        if outcome.value is None or train_value is None or test_value is None:
            return cls(train_correct, test_correct, None, None, each, None)
        name = outcome.value.name
        return cls(train_correct, test_correct, train_value, test_value, each, name)

    def taken(self, order: NDArray[np.intp]) -> "Outcomes":
        """Return the outcomes of models ``order``, in that order."""
        return Outcomes(
            self.train_correct[order],
            self.test_correct[order],
            None if self.train_value is None else self.train_value[order],
            None if self.test_value is None else self.test_value[order],
            self.seconds[order],
            self.value,
            None if self.rate_share is None else self.rate_share[order],
        )

    @property
    def rates(self) -> NDArray[np.float64]:
        """``rate_share``, with 1 for those trained as the recipe says."""
        return np.ones(len(self.seconds)) if self.rate_share is None else self.rate_share

    def at_rate(self, share: float) -> "Outcomes":
        """Return the same, trained at this share of the recipe's learning rate."""
        same = share == 1
        return replace(self, rate_share=None if same else np.full(len(self.seconds), share))

    @classmethod
    def stack(cls, parts: "Sequence[Outcomes]") -> "Outcomes":
        """Join the outcomes of several models, in order; without values if one has none."""
        train_value = _joined([part.train_value for part in parts], axis=0)
        test_value = _joined([part.test_value for part in parts], axis=0)
        return cls(
            np.concatenate([part.train_correct for part in parts]),
            np.concatenate([part.test_correct for part in parts]),
            train_value,
            test_value,
            np.concatenate([part.seconds for part in parts]),
            None if train_value is None else parts[0].value,
            np.concatenate([part.rates for part in parts])
            if any(part.rate_share is not None for part in parts)
            else None,
        )


def measure_in_batches(
    outcome: Outcome, batches: Iterable[tuple[Tensor, Tensor]]
) -> tuple[Bits, Values | None]:
    """Measure batches of (output [K, b, …], target [b, …]) and join them to [K, n]."""
    return joined([outcome.measure(*batch) for batch in batches])


def joined(parts: Sequence[tuple[Bits, Values | None]]) -> tuple[Bits, Values | None]:
    """Join what was measured of batches of the examples, [K, b] each, to [K, n]."""
    bits, values = zip(*parts, strict=True)
    return np.concatenate(bits, axis=1), _joined(values, axis=1)


def _joined(parts: Sequence[Values | None], axis: int) -> Values | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays, axis=axis) if len(arrays) == len(parts) else None
