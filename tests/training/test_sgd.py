import numpy as np
import pytest
import torch
from torch import nn

from memtail_core.training.gradient.networks import MLP, ResNet9, TorchvisionNetwork
from memtail_core.training.gradient.sgd import SGD


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.9, False), (0.8, True), (0.0, False)])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_steps_are_those_of_the_formula(momentum: float, nesterov: bool, decay: float) -> None:
    rng = np.random.default_rng(0)
    network = nn.Linear(3, 2)
    sgd = SGD(
        network,
        MLP(momentum=momentum, nesterov=nesterov, weight_decay=decay),
        torch.float32,
    )
    w = [p.detach().double().numpy().copy() for p in sgd.weights]
    v = [np.zeros_like(x) for x in w]
    for rate in (0.5, 0.1, 0.3):
        gradients = [rng.normal(size=x.shape) for x in w]
        sgd.step(tuple(torch.from_numpy(g).float() for g in gradients), rate)
        for i, gradient in enumerate(gradients):
            g = gradient + decay * w[i]
            v[i] = momentum * v[i] + g
            w[i] = w[i] - rate * (g + momentum * v[i] if nesterov else v[i])
    for found, expected in zip(sgd.weights, w, strict=True):
        np.testing.assert_allclose(found.detach(), expected, rtol=1e-5, atol=1e-6)


def test_a_gradient_in_another_layout_moves_the_right_weights() -> None:
    """A fused step takes memory as it comes; gradients of a transposed product are transposed."""
    network = nn.Linear(3, 2, bias=False)
    before = network.weight.detach().clone()
    sgd = SGD(network, MLP(momentum=0.0), torch.float32)
    gradient = torch.arange(6.0).view(3, 2).T
    sgd.step((gradient,), 1.0)
    torch.testing.assert_close(network.weight.detach(), before - gradient)


def test_small_steps_add_up_though_bfloat16_would_swallow_each() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.ones_(network[0].weight)
    sgd = SGD(network, MLP(momentum=0.0), torch.bfloat16)
    assert sgd.weights[0].dtype == torch.bfloat16
    one = torch.ones(1, 1)
    for _ in range(1000):
        sgd.step((one.bfloat16(), one), 1e-4)
    assert sgd.weights[0].item() == pytest.approx(0.9, abs=4e-3)
    assert (torch.tensor(1.0).bfloat16() - 1e-4).item() == 1, "a step alone is lost"


@pytest.mark.parametrize(
    "recipe",
    [
        MLP(),
        ResNet9(width=4),
        *(
            TorchvisionNetwork(recipe=f"torchvision:{n}")
            for n in ("resnet18", "mobilenet_v3_small", "swin_t", "squeezenet1_1")
        ),
    ],
    ids=lambda recipe: recipe.recipe,
)
def test_networks_compute_in_bfloat16_and_give_logits_in_float32(recipe: MLP) -> None:
    torch.manual_seed(0)
    network = recipe.network((3, 32, 32), 10).eval()
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        before = network(x)
        SGD(network, recipe, torch.bfloat16)
        found = network(x.bfloat16())
    if recipe.recipe != "torchvision:squeezenet1_1":  # it pools after its last convolution
        assert found.dtype == torch.float32
    assert (found - before).norm() < 0.05 * before.norm()
    assert not torch.equal(found, before)
