import numpy as np
import pytest
import torch

from memtail_core.training.gradient.batches import batch_sizes, batches, learning_rates
from memtail_core.training.gradient.networks import CNN, MLP

CPU = torch.device("cpu")


def test_every_example_is_in_one_batch_and_none_is_alone() -> None:
    assert batch_sizes(300, 128) == [128, 128, 44]
    assert batch_sizes(256, 128) == [128, 128]
    assert batch_sizes(257, 128) == [128, 129]
    assert batch_sizes(5, 128) == [5]
    assert batch_sizes(1, 128) == [1]
    assert batch_sizes(3, 1) == [1, 1, 1]


@pytest.mark.parametrize("m", [7, 16, 23, 25])
def test_each_epoch_shows_each_model_all_of_its_subset_in_another_order(m: int) -> None:
    """No dropped last batch, whatever the size of the subset."""
    recipe = CNN(epochs=3, batch_size=8, flip=True, crop=2)
    members = torch.stack([torch.randperm(100)[:m] for _ in range(4)])
    found = list(batches(recipe, members, [1, 2, 3, 4], CPU))
    steps = len(batch_sizes(m, 8))
    assert len(found) == 3 * steps
    orders = []
    for epoch in range(3):
        part = found[epoch * steps : (epoch + 1) * steps]
        shown = torch.cat([batch.examples for batch in part], dim=1)
        assert torch.equal(shown.sort(1).values, members.sort(1).values)
        orders.append(shown)
    assert not torch.equal(orders[0], orders[1])
    shifts = torch.cat([b.shifts for b in found if b.shifts is not None], dim=2)
    assert shifts.shape == (2, 4, 3 * m)
    assert set(shifts.flatten().tolist()) == set(range(5))
    flips = torch.cat([b.flips for b in found if b.flips is not None], dim=1)
    assert 0.2 < flips.float().mean() < 0.8


def test_what_a_model_draws_does_not_depend_on_its_neighbours() -> None:
    recipe = CNN(epochs=2, batch_size=8, flip=True, crop=1)
    members = torch.stack([torch.randperm(50)[:21] for _ in range(3)])
    together = list(batches(recipe, members, [5, 6, 7], CPU))
    alone = list(batches(recipe, members[1:2], [6], CPU))
    for many, one in zip(together, alone, strict=True):
        for tensor, own in zip(many.tensors(), one.tensors(), strict=True):
            axis = tensor.ndim - 2
            assert torch.equal(tensor.narrow(axis, 1, 1), own)


def test_the_one_cycle_rises_to_the_peak_and_falls_to_nearly_nothing() -> None:
    rates = learning_rates(MLP(learning_rate=0.4), 1000)
    assert len(rates) == 1000
    assert max(rates) == pytest.approx(0.4, rel=0.01)
    assert np.argmax(rates) == pytest.approx(150, abs=2)
    assert 0 < rates[-1] < 0.001
    assert learning_rates(MLP(schedule="constant"), 3) == [0.1] * 3
    assert len(learning_rates(MLP(), 1)) == 1
