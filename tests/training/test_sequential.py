"""The engine's inner loop, against a plain loop written here."""

import numpy as np
import pytest
import torch
from torch import nn

from memtail_core.data import Dataset
from memtail_core.training.augmentation import augmented
from memtail_core.training.judgement import judged
from memtail_core.training.networks import MLP
from memtail_core.training.sequential import SequentialEngine, batch_sizes, learning_rates, moments


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(50, 4, 5, 1), dtype=np.uint8)
    return Dataset.from_arrays(x[:37], np.arange(37) % 3, x[37:], np.arange(13) % 3)


def test_training_is_plain_sgd_on_every_example_of_the_subset(dataset: Dataset) -> None:
    """No dropped last batch: 23 examples in batches of 8 are 8 + 8 + 7, each epoch."""
    recipe = MLP(
        widths=(6,), epochs=3, batch_size=8, learning_rate=0.05, momentum=0.9, weight_decay=1e-3,
        schedule="constant", standardize=False, label_smoothing=0.1,
    )  # fmt: skip
    subset = np.zeros(37, bool)
    subset[:23] = True
    found = SequentialEngine(recipe, "cpu").train(dataset, subset[None], np.array([9]))

    torch.manual_seed(9)
    network = nn.Sequential(nn.Flatten(), nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3))
    order = torch.Generator().manual_seed(int(np.random.SeedSequence(9).generate_state(1)[0]))
    x = torch.from_numpy(dataset.x_train).permute(0, 3, 1, 2) / 255
    y = torch.from_numpy(dataset.y_train)
    velocity = [torch.zeros_like(p) for p in network.parameters()]
    for _ in range(3):
        shuffled = torch.arange(23)[torch.randperm(23, generator=order)]
        for batch in (shuffled[:8], shuffled[8:16], shuffled[16:]):
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch], label_smoothing=0.1)
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            with torch.no_grad():
                for p, g, v in zip(network.parameters(), gradients, velocity, strict=True):
                    v.mul_(0.9).add_(g + 1e-3 * p)
                    p.sub_(0.05 * v)
    probability = network(x).softmax(1).gather(1, y[:, None])[:, 0].detach().double().numpy()
    margin = np.log(probability) - np.log1p(-probability)
    assert found.train_margin is not None
    np.testing.assert_allclose(found.train_margin[0], margin, atol=2e-3)
    assert (found.train_correct[0] == (network(x).argmax(1) == y).numpy()).all()


def test_every_example_is_in_one_batch_and_none_is_alone() -> None:
    assert batch_sizes(300, 128) == [128, 128, 44]
    assert batch_sizes(256, 128) == [128, 128]
    assert batch_sizes(257, 128) == [128, 129]
    assert batch_sizes(5, 128) == [5]
    assert batch_sizes(1, 128) == [1]
    assert batch_sizes(3, 1) == [1, 1, 1]


def test_standardized_inputs_have_mean_0_and_deviation_1(dataset: Dataset) -> None:
    from memtail_core.training.sequential import _ResidentData

    data = _ResidentData(dataset, True, torch.device("cpu"))
    x = data.inputs(data.x_train)
    assert x.shape == (37, 1, 4, 5)
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [(2500, 3), (1100, 3, 2, 3)])
def test_moments_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    axes = tuple(range(len(shape) - 1))
    mean, deviation = moments(x)
    np.testing.assert_allclose(mean, x.astype(float).mean(axes))
    np.testing.assert_allclose(deviation, x.astype(float).std(axes))


def test_a_constant_feature_stays_finite() -> None:
    from memtail_core.training.sequential import _ResidentData

    x = np.array([[1.0, 5], [2, 5], [3, 5]])
    dataset = Dataset.from_arrays(x, [0, 1, 0], x, [0, 1, 0])
    data = _ResidentData(dataset, True, torch.device("cpu"))
    inputs = data.inputs(data.x_train)
    np.testing.assert_allclose(inputs[:, 1], 0)
    np.testing.assert_allclose(inputs[:, 0], [-1.2247449, 0, 1.2247449], rtol=1e-6)


def test_the_margin_is_the_log_odds_of_the_label() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0], [-3.0, 4.0, 1.0], [0.0, 0.0, 0.0]])
    y = torch.tensor([0, 2, 1])
    correct, margin = judged(logits.double(), y)
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    p = p[np.arange(3), y]
    np.testing.assert_allclose(margin[0], np.log(p / (1 - p)), atol=2e-3)
    assert correct[0].tolist() == [True, False, False]


def test_a_certain_margin_is_clipped_not_infinite() -> None:
    log_probabilities = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    _, margin = judged(log_probabilities, torch.tensor([0, 0]))
    assert margin[0].tolist() == [100, -100]


def test_the_one_cycle_rises_to_the_peak_and_falls_to_nearly_nothing() -> None:
    rates = learning_rates(MLP(learning_rate=0.4), 1000)
    assert len(rates) == 1000
    assert max(rates) == pytest.approx(0.4, rel=0.01)
    assert rates.index(max(rates)) == pytest.approx(150, abs=2)
    assert 0 < rates[-1] < 0.001
    assert learning_rates(MLP(schedule="constant"), 3) == [0.1] * 3
    assert len(learning_rates(MLP(), 1)) == 1


def test_crops_are_shifts_with_zeros_and_flips_are_mirrors() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((200, 2, 5, 6), dtype=np.float32)) + 1
    moved = augmented(x, flip=True, crop=2, generator=torch.Generator().manual_seed(0))
    seen = set()
    for original, found in zip(x, moved, strict=True):
        options = {
            (flip, dy, dx): shifted(original.flip(2) if flip else original, dy, dx)
            for flip in (False, True)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
        }
        matches = [k for k, v in options.items() if torch.equal(v, found)]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 45, "all 50 of flip × 5 × 5 come up"


def shifted(image: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """The image moved by (−dy, −dx), zeros where nothing was."""
    found = torch.zeros_like(image)
    _, h, w = image.shape
    for r in range(h):
        for c in range(w):
            if 0 <= r + dy < h and 0 <= c + dx < w:
                found[:, r, c] = image[:, r + dy, c + dx]
    return found


def test_no_augmentation_is_the_very_same_tensor() -> None:
    x = torch.zeros(2, 1, 3, 3)
    assert augmented(x, flip=False, crop=0, generator=torch.Generator()) is x


def test_training_leaves_the_processs_random_stream_alone(dataset: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    SequentialEngine(MLP(epochs=1), "cpu").train(dataset, np.ones((1, 37), bool), np.array([1]))
    assert torch.equal(torch.rand(3), expected)
