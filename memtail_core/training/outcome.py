"""What a trial records about each example: a correctness bit and, where there is one, a real value.

An :class:`Outcome` is the seam between what a model outputs and what a study keeps. A recipe names
its outcome (``Recipe.outcome``); engines apply it and know nothing else about targets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Bits = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]
Probabilities = NDArray[np.float16]
_T = TypeVar("_T", bound=np.floating[Any])


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

    def measure(self, output: "Tensor", target: "Tensor") -> tuple[Bits, Values | None]:
        """Return the correctness, bool [K, n], and the value [K, n], of K models on n examples.

        The value is None if ``output`` does not determine it.

        Args:
            output: what the models output, [K, n, …].
            target: what they should output, [n, …].
        """
        ...

    def averaged(self, output: "Tensor", target: "Tensor") -> Probabilities | None:
        """Return what a study averages over its models if it keeps probabilities, [K, n, C].

        Of a classifier these are the probabilities of the C classes, of a language model the
        losses −log p of the C next tokens; None if ``output`` does not determine them.
        """
        ...


class Measured(NamedTuple):
    """What was measured of K models on n examples.

    Attributes:
        correct: bool [K, n].
        value: [K, n]; None if the outputs do not determine it.
        probability: float16 [K, n, C], what :meth:`Outcome.averaged` returns, where it was asked
            for; None if the outputs do not determine it.
    """

    correct: Bits
    value: Values | None
    probability: Probabilities | None = None


def measured(
    outcome: Outcome, output: "Tensor", target: "Tensor", probabilities: bool = False
) -> Measured:
    """Measure, with what a study that keeps probabilities averages."""
    averaged = outcome.averaged(output, target) if probabilities else None
    return Measured(*outcome.measure(output, target), averaged)


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
        train_probability: float16 [K, n, C], what :meth:`Outcome.averaged` returns of the training
            examples, where it was asked for; None where the outputs do not determine it.
    """

    train_correct: Bits
    test_correct: Bits
    train_value: Values | None
    test_value: Values | None
    seconds: NDArray[np.float64]
    value: str | None
    rate_share: NDArray[np.float64] | None = None
    train_probability: Probabilities | None = None

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        train: Measured,
        test: Measured,
        seconds: float,
    ) -> "Outcomes":
        """Put together what ``outcome`` measured of models that took ``seconds`` in all."""
        each = np.full(len(train.correct), seconds / len(train.correct))
        has_values = not (outcome.value is None or train.value is None or test.value is None)
        return cls(
            train.correct,
            test.correct,
            train.value if has_values else None,
            test.value if has_values else None,
            each,
            outcome.value.name if outcome.value is not None and has_values else None,
            train_probability=train.probability,
        )

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
            None if self.train_probability is None else self.train_probability[order],
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
            _joined([part.train_probability for part in parts], axis=0),
        )


def measure_in_batches(
    outcome: Outcome, batches: Iterable[tuple["Tensor", "Tensor"]], probabilities: bool = False
) -> Measured:
    """Measure batches of (output [K, b, …], target [b, …]) and join them to [K, n]."""
    return joined([measured(outcome, *batch, probabilities) for batch in batches])


def joined(parts: Sequence[Measured]) -> Measured:
    """Join what was measured of batches of the examples, [K, b] each, to [K, n]."""
    bits, values, probabilities = zip(*parts, strict=True)
    return Measured(
        np.concatenate(bits, axis=1), _joined(values, axis=1), _joined(probabilities, axis=1)
    )


def _joined(parts: Sequence[NDArray[_T] | None], axis: int) -> NDArray[_T] | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays, axis=axis) if len(arrays) == len(parts) else None
