import time
from collections.abc import Callable

import pytest
import torch

from memtail_core.data import Dataset
from memtail_core.training import Tuning
from memtail_core.training.gradient import autotuning
from memtail_core.training.gradient.autotuning import autotuned
from memtail_core.training.gradient.batches import Batch
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9
from memtail_core.training.gradient.resident_data import ResidentData

STACKS = [1, 2, 4, 8, 16, 32, 64]


Seconds = Callable[[int, torch.dtype], float]


def pretended(monkeypatch: pytest.MonkeyPatch, seconds: Seconds) -> list[tuple[int, torch.dtype]]:
    """Let a step of a stack take ``seconds(stack, dtype)``; return what is asked for."""
    asked = []

    def measure(recipe: MLP, data: ResidentData, subset_size: int, stack: int) -> float:
        asked.append((stack, data.dtype))
        return seconds(stack, data.dtype)

    monkeypatch.setattr(autotuning, "_seconds_per_step", measure)
    return asked


def test_the_fastest_is_chosen_among_precisions_and_stacks(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(stack: int, dtype: torch.dtype) -> float:
        if dtype == torch.bfloat16:
            return 2.0 + 0.1 * stack  # slow to start, cheap to widen
        return 1.0 + 0.5 * stack

    pretended(monkeypatch, seconds)
    assert autotuned(MLP(), dataset, 20, "cpu", STACKS[:5]) == Tuning(16, "bfloat16")
    assert autotuned(MLP(precision="float32"), dataset, 20, "cpu", STACKS[:5]) == Tuning(
        16, "float32"
    )
    assert autotuned(MLP(), dataset, 20, "cpu", [1]) == Tuning(1, "float32")


def test_the_simpler_is_kept_unless_another_is_clearly_faster(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pretended(monkeypatch, lambda stack, dtype: stack * (0.98 if stack > 1 else 1))
    assert autotuned(MLP(), dataset, 20, "cpu", STACKS) == Tuning(1, "float32")
    assert asked.count((64, torch.float32)) == 0, "given up before"


def test_stacks_grow_until_memory_runs_out(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(stack: int, dtype: torch.dtype) -> float:
        if stack > 8:
            raise torch.OutOfMemoryError
        return 1.0

    asked = pretended(monkeypatch, seconds)
    assert autotuned(MLP(precision="bfloat16"), dataset, 20, "cpu", STACKS) == Tuning(8, "bfloat16")
    assert [stack for stack, _ in asked] == [1, 2, 4, 8, 16]


def test_an_error_that_is_not_for_lack_of_memory_is_not_hidden(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(stack: int, dtype: torch.dtype) -> float:
        raise RuntimeError("shapes cannot be multiplied")

    pretended(monkeypatch, seconds)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        autotuned(MLP(precision="float32"), dataset, 20, "cpu", STACKS)


@pytest.mark.parametrize(
    "recipe", [MLP(widths=(8,)), CNN(channels=(4,), crop=1), ResNet9(width=2)], ids=type
)
def test_real_measurements_leave_the_random_stream_alone(dataset: Dataset, recipe: MLP) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    found = recipe.tuned(dataset, 20, "cpu", [1, 2, 4])
    assert torch.equal(torch.rand(3), expected)
    assert found.stack in (1, 2, 4)
    assert found.precision in ("float32", "bfloat16")


def test_a_hopeless_precision_is_not_explored(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pretended(monkeypatch, lambda _, dtype: 1 if dtype == torch.float32 else 100)
    assert autotuned(MLP(), dataset, 20, "cpu", STACKS) == Tuning(64, "float32")
    assert [stack for stack, dtype in asked if dtype == torch.bfloat16] == [1]


def test_a_little_faster_is_no_reason_to_round_to_bfloat16(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended(monkeypatch, lambda stack, dtype: stack * (1.0 if dtype == torch.float32 else 0.85))
    assert autotuned(MLP(), dataset, 20, "cpu", STACKS) == Tuning(1, "float32")


def test_the_first_step_sets_things_up_and_does_not_count(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, original = [], NetworkStack.step

    def step(self: NetworkStack, batch: Batch, rate: float) -> None:
        taken.append(rate)
        if len(taken) == 1:
            time.sleep(0.7)
        original(self, batch, rate)

    monkeypatch.setattr(NetworkStack, "step", step)
    data = ResidentData(dataset, True, torch.device("cpu"))
    assert autotuning._seconds_per_step(MLP(widths=(8,), epochs=9), data, 20, 1) < 0.1
