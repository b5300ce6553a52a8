"""A training that is interrupted anywhere, and continued by another engine, gives the same bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memtail_core.data import Dataset
from memtail_core.store import archive
from memtail_core.store.archive import Arrays
from memtail_core.training import Outcomes, Tuning, resolve
from memtail_core.training.gradient import resident_data
from memtail_core.training.gradient.engine import GradientEngine
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.streamed_rows import StreamedRows
from tests.data.packed.test_records import packed
from tests.texts import reviewed
from tests.training.contract import assert_same_bits
from tests.training.recorded_steps import record_steps
from tests.training.test_gradient_engine import SEEDS, Dropping, out_of_memory_above, subsets
from tests.training.test_lowered_rate import SEEDS as WILD_SEEDS
from tests.training.test_lowered_rate import SUBSETS as WILD_SUBSETS
from tests.training.test_lowered_rate import Wild, squares


class InterruptionError(Exception):
    """The process is killed."""


class Kept:
    """Keeps the state at one step, as a file would, and interrupts the training there."""

    def __init__(self, at: int | None = None, state: Arrays | None = None) -> None:
        self.at, self.state, self.steps = at, state, 0
        self.phases: list[str] = []
        self.refused: list[str] = []

    def last(self) -> Arrays | None:
        return self.state

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)

    def reached(self, phase: str, examples: int, state: Callable[[], Arrays]) -> None:
        assert examples > 0
        self.steps += 1
        self.phases.append(phase)
        if self.steps == self.at:
            self.state = archive.unpacked(archive.packed(state()))
            raise InterruptionError


def interrupted(
    train: Callable[[Kept], Outcomes], at: int, state: Arrays | None = None
) -> Arrays | None:
    """The state that was kept ``at`` a step of a training that began from ``state``."""
    kept = Kept(at, state)
    with pytest.raises(InterruptionError):
        train(kept)
    return kept.state


def assert_continues_with_the_same_bits(train: Callable[[Kept], Outcomes], every: bool) -> None:
    undisturbed = Kept()
    expected = train(undisturbed)
    n = undisturbed.steps
    assert n > 10
    some = range(1, n + 1) if every else sorted({1, n // 4, n // 2, 2 * n // 3, n - 1, n})
    for at in some:
        rest = Kept(state=interrupted(train, at))
        found = train(rest)
        assert_same_bits(found, expected)
        assert found.rates.tolist() == expected.rates.tolist()
        assert (found.seconds > 0).all()
        assert rest.steps == n - at, "nothing is trained or evaluated again"
        assert undisturbed.phases[at:] == rest.phases
        assert not rest.refused
    state = None
    for _ in range(5):  # and again and again
        state = interrupted(train, max(1, n // 7), state)
    assert_same_bits(train(Kept(state=state)), expected)


RECIPES: list[tuple[GradientRecipe, Tuning]] = [
    (MLP(widths=(6,), epochs=3, batch_size=8), Tuning()),
    (MLP(widths=(6,), epochs=3, batch_size=8, optimizer="adamw"), Tuning(2)),
    (MLP(widths=(6,), epochs=3, batch_size=8), Tuning(2, "bfloat16")),
    (CNN(channels=(4,), hidden=5, epochs=3, batch_size=8, flip=True, crop=1), Tuning(4)),
    (CNN(channels=(4,), hidden=5, epochs=3, batch_size=8, flip=True, resized_crop=4), Tuning()),
    (ResNet9(width=2, epochs=2, batch_size=8), Tuning(2, "bfloat16")),
    (ResNet9(width=2, epochs=3, batch_size=8, resized_crop=4, first_size=2), Tuning(2)),
    (Dropping(epochs=3, batch_size=8), Tuning()),
]


@pytest.mark.parametrize(("recipe", "tuning"), RECIPES, ids=lambda value: str(value)[:30])
def test_an_interrupted_training_goes_on_with_the_same_bits(
    dataset: Dataset, recipe: GradientRecipe, tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several stacks, subsets of two sizes, batches of several."""
    monkeypatch.setattr("memtail_core.training.gradient.engine._EVALUATION_ROWS", {"cpu": 16})
    monkeypatch.setattr("memtail_core.training.gradient.engine._SMALLEST_EVALUATION_BATCH", 8)
    chosen = subsets(23, 17, 23, 23, 17, 23)

    def train(kept: Kept) -> Outcomes:
        return recipe.engine("cpu", tuning).train(
            dataset, chosen, SEEDS, kept, probabilities=tuning.stack > 1
        )

    assert_continues_with_the_same_bits(train, every=tuning == Tuning(4))


def test_it_is_told_how_many_networks_of_the_call_are_trained(dataset: Dataset) -> None:
    kept = Kept()
    engine = MLP(widths=(6,), epochs=2, batch_size=8).engine("cpu", Tuning(4))
    engine.train(dataset, subsets(*[20] * 6), SEEDS, kept)
    epochs = [phase for phase in dict.fromkeys(kept.phases) if "epoch" in phase]
    assert epochs == [
        *("epoch 1 of 2", "epoch 2 of 2"),
        *("4 trained, epoch 1 of 2", "4 trained, epoch 2 of 2"),
    ]


def test_lowered_rates_go_on_too() -> None:
    dataset = squares()

    def train(kept: Kept) -> Outcomes:
        return (
            Wild(epochs=30)
            .engine("cpu", Tuning(3))
            .train(dataset, WILD_SUBSETS, WILD_SEEDS, kept, probabilities=True)
        )

    assert (train(Kept()).rates < 1).any()
    assert_continues_with_the_same_bits(train, every=False)


def test_texts_go_on_too() -> None:
    dataset = reviewed()
    table = {"recipe": "transformer", "width": 8, "heads": 2, "hidden": 16, "epochs": 2}
    recipe: Any = resolve(table, dataset, 100)
    chosen = np.arange(len(dataset.y_train))[None] < np.full((2, 1), 100)

    def train(kept: Kept) -> Outcomes:
        return recipe.engine("cpu", Tuning(2)).train(dataset, chosen, SEEDS[:2], kept)

    n = Kept()
    expected = train(n)
    found = train(Kept(state=interrupted(train, n.steps // 2)))
    assert_same_bits(found, expected)


def test_streamed_examples_are_not_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident_data, "READY_BYTES", 0)
    monkeypatch.setattr("memtail_core.training.gradient.engine._EVALUATION_ROWS", {"cpu": 16})
    monkeypatch.setattr("memtail_core.training.gradient.engine._SMALLEST_EVALUATION_BATCH", 8)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (100, 8, 8, 3), dtype=np.uint8), np.arange(100) % 3
    every = packed(x, tmp_path, rows=11)
    train_rows, test_rows = (every.selected(rows) for rows in np.split(np.arange(100), [80]))
    dataset = Dataset.from_arrays(train_rows, y[:80], test_rows, y[80:])
    recipe = CNN(channels=(4,), hidden=5, epochs=2, batch_size=16, flip=True, resized_crop=6)
    chosen = np.arange(80)[None] < np.full((2, 1), 60)
    gathered: list[int] = []
    original = StreamedRows.gathered

    def counted(self: StreamedRows, wanted: Any, most: int) -> Any:
        def each() -> Any:
            for rows in wanted:
                gathered.append(len(rows))
                yield rows

        return original(self, each(), most)

    monkeypatch.setattr(StreamedRows, "gathered", counted)

    def train(kept: Kept) -> Outcomes:
        return recipe.engine("cpu", Tuning(1)).train(dataset, chosen, SEEDS[:2], kept)

    assert_continues_with_the_same_bits(train, every=True)
    gathered.clear()
    state = interrupted(train, 6)
    before, _ = sum(gathered), gathered.clear()
    train(Kept(state=state))
    assert before + sum(gathered) <= 2 * (2 * 60 + 100) + 5 * 16, "at most what was read ahead"


def test_recorded_steps_go_on_in_their_memory(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that has recorded a step continues another training with it, as a GPU does."""
    recipe = Dropping(widths=(9,), epochs=3, batch_size=8)
    chosen = subsets(*[23] * 6)
    record_steps(monkeypatch)
    used = recipe.engine("cpu", Tuning(1))
    expected = used.train(dataset, chosen, SEEDS)
    for at in (2, 10, 25):
        kept = Kept(at)
        with pytest.raises(InterruptionError):
            recipe.engine("cpu", Tuning(1)).train(dataset, chosen, SEEDS, kept)
        assert_same_bits(used.train(dataset, chosen, SEEDS, Kept(state=kept.state)), expected)


def test_a_stack_that_memory_made_smaller_stays_so(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = MLP(widths=(16,), epochs=3, batch_size=8)
    chosen = subsets(*[23] * 6)

    def train(kept: Kept) -> Outcomes:
        return recipe.engine("cpu", Tuning(6)).train(dataset, chosen, SEEDS, kept)

    monkeypatch.setattr(NetworkStack, "__init__", out_of_memory_above(2))
    n = Kept()
    expected = train(n)
    state = interrupted(train, n.steps // 2)
    monkeypatch.undo()
    assert_same_bits(train(Kept(state=state)), expected)


def test_no_state_is_asked_for_unless_it_is_kept(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NetworkStack, "kept", lambda self: pytest.fail("the state was copied"))
    recipe = MLP(widths=(6,), epochs=3, batch_size=8)
    recipe.engine("cpu").train(dataset, subsets(23, 23), SEEDS[:2], Kept())


def _other_networks(state: Arrays) -> None:
    state["tensor_0"] = state["tensor_0"][1:]


def _fewer_tensors(state: Arrays) -> None:
    del state["tensor_3"]


def _other_rows(state: Arrays) -> None:
    state["position"] = np.array(str(state["position"]).replace('"rows": [', '"rows": [99, '))


def _no_position(state: Arrays) -> None:
    state["position"] = np.array("[" * 100_000)


def _other_outcomes(state: Arrays) -> None:
    state["finished_train_correct"] = state["finished_train_correct"][:, 1:]


@pytest.mark.parametrize(
    "change", [_other_networks, _fewer_tensors, _other_rows, _no_position, _other_outcomes]
)
def test_a_state_of_something_else_is_refused_and_costs_itself_alone(
    dataset: Dataset, change: Callable[[Arrays], None]
) -> None:
    recipe = MLP(widths=(6,), epochs=3, batch_size=8)
    chosen = subsets(23, 23, 23)

    def train(kept: Kept) -> Outcomes:
        return recipe.engine("cpu").train(dataset, chosen, SEEDS[:3], kept)

    expected = train(Kept())
    state = interrupted(train, 14)
    assert state is not None
    assert "finished" in state
    change(state)
    kept = Kept(state=state)
    assert_same_bits(train(kept), expected)
    assert len(kept.refused) == 1


def test_the_state_is_a_copy(dataset: Dataset) -> None:
    """Training goes on while it is written."""
    states: list[tuple[Arrays, Arrays]] = []

    class Keeping(Kept):
        def reached(self, phase: str, examples: int, state: Callable[[], Arrays]) -> None:
            if self.steps < 3:
                kept = state()
                states.append((kept, {name: array.copy() for name, array in kept.items()}))
            self.steps += 1

    engine = GradientEngine(MLP(widths=(6,), epochs=3, batch_size=8), "cpu", Tuning())
    engine.train(dataset, subsets(23), SEEDS[:1], Keeping())
    assert len(states) == 3
    for kept, then in states:
        for name, array in kept.items():
            np.testing.assert_array_equal(array, then[name])
    assert not np.array_equal(states[0][0]["tensor_0"], states[2][0]["tensor_0"])
    torch.testing.assert_close(states[0][0]["random_cpu"], states[2][0]["random_cpu"])
