"""The contract of outcomes: subclass it and provide the fixtures below."""

import numpy as np
import pytest
import torch
from torch import Tensor

from memtail_core.training import Outcome, Outcomes
from memtail_core.training.outcome import Bits, Measured, Values, measure_in_batches


class RightOrWrong:
    """An outcome with bits and no value."""

    value = None

    def measure(self, output: Tensor, target: Tensor) -> tuple[Bits, Values | None]:
        predicted = output.argmax(2) if output.is_floating_point() else output
        return (predicted == target).numpy(), None


class OutcomeContract:
    """The contract suite.

    A subclass provides ``outcome``; ``examples``, the output [K, n, …] of at least two models on at
    least six examples and the target [n, …], some right and some wrong; and ``expected``, the
    correctness and the value [K, n] of these in float64, computed in another way.
    """

    def test_it_agrees_with_an_independent_computation(
        self, outcome: Outcome, examples: tuple[Tensor, Tensor], expected: tuple[np.ndarray, ...]
    ) -> None:
        correct, value = outcome.measure(*examples)
        assert correct.any()
        assert not correct.all()
        np.testing.assert_array_equal(correct, expected[0])
        assert (value is None) == (outcome.value is None)
        if value is not None:
            rounding = 2 * float(np.finfo(value.dtype).eps)
            np.testing.assert_allclose(value, expected[1], rtol=rounding, atol=rounding)

    def test_bits_and_values_are_of_the_declared_type_and_range(
        self, outcome: Outcome, examples: tuple[Tensor, Tensor]
    ) -> None:
        correct, value = outcome.measure(*examples)
        assert (correct.dtype, correct.shape) == (np.bool_, examples[0].shape[:2])
        if outcome.value is not None and value is not None:
            assert (value.dtype, value.shape) == (np.dtype(outcome.value.dtype), correct.shape)
            assert np.isfinite(value).all()
            assert outcome.value.low <= value.min() <= value.max() <= outcome.value.high

    def test_each_model_and_each_example_is_measured_by_itself(
        self, outcome: Outcome, examples: tuple[Tensor, Tensor]
    ) -> None:
        output, target = examples
        correct, value = outcome.measure(output, target)
        for k in range(len(output)):
            for i in range(len(target)):
                one = outcome.measure(output[k : k + 1, i : i + 1], target[i : i + 1])
                assert one[0][0, 0] == correct[k, i]
                if value is not None:
                    assert one[1] is not None
                    assert one[1][0, 0] == value[k, i]

    @pytest.mark.parametrize("size", [1, 4, 100])
    def test_batches_give_the_same_bits_as_the_whole(
        self, outcome: Outcome, examples: tuple[Tensor, Tensor], size: int
    ) -> None:
        output, target = examples
        batches = zip(output.split(size, dim=1), target.split(size), strict=True)
        for part, whole in zip(
            measure_in_batches(outcome, batches)[:2], outcome.measure(output, target), strict=True
        ):
            assert (part is None) == (whole is None)
            if part is not None:
                assert part.tobytes() == whole.tobytes()

    def test_outcomes_name_the_value_where_there_is_one(
        self, outcome: Outcome, examples: tuple[Tensor, Tensor]
    ) -> None:
        measured = Measured(*outcome.measure(*examples))
        found = Outcomes.of(outcome, measured, measured, seconds=6.0)
        assert found.value == (None if outcome.value is None else outcome.value.name)
        assert found.seconds.sum() == pytest.approx(6.0)
        bits_alone = measured._replace(value=None)
        without = Outcomes.of(outcome, bits_alone, bits_alone, seconds=1.0)
        mixed = Outcomes.stack([found, without])
        assert mixed.train_value is mixed.test_value is mixed.value is None

    def test_the_inputs_are_left_as_they_are(
        self, outcome: Outcome, examples: tuple[Tensor, Tensor]
    ) -> None:
        before = [tensor.clone() for tensor in examples]
        outcome.measure(*examples)
        assert all(torch.equal(a, b) for a, b in zip(examples, before, strict=True))
