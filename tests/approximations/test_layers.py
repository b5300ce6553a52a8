"""Gradients of single examples, against autograd's of one example at a time."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from memtail_core.approximations.example_gradients import factors, margins, squared_norms
from memtail_core.approximations.methods.projected_gradients import projected

torch.manual_seed(0)


class Twice(nn.Module):
    """One layer used twice, once over several positions."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.out = nn.Linear(6, 6), nn.Linear(30, 3)

    def forward(self, x: Tensor) -> Tensor:
        once = self.mix(x.flatten(1).view(-1, 5, 6)).relu()
        return self.out((once + self.mix(once)).flatten(1))


NETWORKS = {
    "linear": (nn.Sequential(nn.Flatten(), nn.Linear(30, 3)), (2, 3, 5)),
    "mlp": (nn.Sequential(nn.Flatten(), nn.Linear(30, 7), nn.ReLU(), nn.Linear(7, 3)), (2, 3, 5)),
    "conv": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 6, 2, groups=2, dilation=1, bias=False),
            nn.BatchNorm2d(6),
            nn.Flatten(),
            nn.Linear(12, 3),
        ),
        (2, 4, 6),
    ),
    "shared": (Twice(), (2, 3, 5)),
}


def exact(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Gradients of the margins in the weights of linear and convolutional layers, [B, P]."""
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    weights = [p for layer in layers for p in layer.parameters()]
    rows = []
    for k in range(len(x)):
        found = torch.autograd.grad(margins(network, x[k : k + 1], y[k : k + 1]).sum(), weights)
        rows.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_norms_are_those_of_autograd(name: str) -> None:
    network, shape = NETWORKS[name]
    network = network.eval()
    x, y = torch.randn(9, *shape), torch.arange(9) % 3
    margin, layers = factors(network, x, y)
    p = network(x).softmax(1)[torch.arange(9), y]
    torch.testing.assert_close(margin, (p / (1 - p)).log().detach(), rtol=1e-4, atol=1e-4)
    norm = torch.stack([squared_norms(layer) for layer in layers]).sum(0).sqrt()
    gradients = exact(network, x, y)
    torch.testing.assert_close(norm, gradients.norm(dim=1), rtol=1e-4, atol=1e-5)
    weight = [m.weight for m in network.modules() if isinstance(m, nn.Linear)][-1]
    by_loss = [
        torch.autograd.grad(functional.cross_entropy(network(x[k : k + 1]), y[k : k + 1]), weight)[
            0
        ]
        for k in range(9)
    ]
    a, delta = layers[0]  # the way back begins at the last layer
    last = squared_norms((a[..., :-1], delta)).sqrt()
    found = torch.sigmoid(-margin) * last  # ∇loss = −(1 − p_y) ∇margin
    torch.testing.assert_close(
        found, torch.stack([g.norm() for g in by_loss]), rtol=1e-4, atol=1e-5
    )
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_both_ways_to_a_norm_agree(name: str) -> None:
    network, shape = NETWORKS[name]
    _, layers = factors(network.eval(), torch.randn(4, *shape), torch.arange(4) % 3)
    for a, delta in layers:
        gram = ((a @ a.mT) * (delta @ delta.mT)).sum((1, 2))
        written_out = torch.einsum("bli,blo->boi", a, delta).square().sum((1, 2))
        torch.testing.assert_close(gram, written_out, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(squared_norms((a, delta)), gram, rtol=1e-4, atol=1e-6)


def test_projections_keep_inner_products_on_average() -> None:
    network, shape = NETWORKS["conv"]
    x, y = torch.randn(6, *shape), torch.arange(6) % 3
    _, layers = factors(network.eval(), x, y)
    gradients = exact(network, x, y)
    wanted = gradients @ gradients.T
    found = []
    for seed in range(300):
        phi = projected(layers, 64, seed)
        assert phi.shape == (6, 64)
        found.append(phi @ phi.T)
    stacked = torch.stack(found)
    error = stacked.std(0) / np.sqrt(len(found))
    assert ((stacked.mean(0) - wanted).abs() < 4 * error).all()
    assert (error < 0.2 * wanted.diagonal().mean()).all(), "or the test could not fail"
