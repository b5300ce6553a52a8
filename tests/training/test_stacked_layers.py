"""A stack of K networks against each of them alone, in float64 so that rounding hides nothing."""

import pytest
import torch
from torch import nn

from memtail_core.training.gradient.networks import CNN, MLP, ResNet9
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.stacked_layers import stacked

RECIPES = [
    (MLP(widths=(7, 5)), (3, 6, 4)),
    (MLP(widths=(7,)), (9,)),
    (CNN(channels=(4, 6), hidden=5), (1, 9, 7)),
    (CNN(channels=(4, 6), hidden=5, halve="stride"), (3, 9, 7)),
    (ResNet9(width=3), (3, 8, 8)),
]


@pytest.mark.parametrize(("recipe", "shape"), RECIPES, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_outputs_and_gradients_are_those_of_each_network_alone(
    recipe: GradientRecipe, shape: tuple[int, ...], k: int
) -> None:
    torch.manual_seed(0)
    networks = [recipe.network(shape, 4).double() for _ in range(k)]
    x = torch.randn(k, 6, *shape, dtype=torch.float64)
    y = torch.randint(4, (k, 6))
    together = stacked(networks)
    for mode in (True, False):  # normalisation by the batch, then by what was learned
        together.train(mode)
        logits = together(x)
        assert logits.shape == (k, 6, 4)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum") / 6
        found = torch.autograd.grad(loss, list(together.parameters()))
        for i, network in enumerate(networks):
            network.train(mode)
            alone = network(x[i])
            torch.testing.assert_close(logits[i], alone)
            expected = torch.autograd.grad(
                nn.functional.cross_entropy(alone, y[i]), list(network.parameters())
            )
            for all_of_them, own in zip(found, expected, strict=True):
                is_product = k > 1 and own.ndim == 2  # kept as [K, in, out]
                mine = all_of_them.unflatten(0, (k, -1))[i].squeeze(0)
                torch.testing.assert_close(mine.T if is_product else mine.view_as(own), own)


def test_a_layer_that_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(TypeError, match="LayerNorm layers cannot be stacked"):
        stacked([nn.Sequential(nn.LayerNorm(3)) for _ in range(2)])
