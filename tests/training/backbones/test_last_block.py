"""Which part of a network is its last block, and that the rest stays as it was pretrained."""

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from memtail_core import training
from memtail_core.training.backbones.last_block import fix_before_last_block
from memtail_core.training.gradient.recipe import GradientRecipe
from tests.training.backbones.test_engines import SMALL
from tests.training.backbones.user_backbone import small
from tests.training.test_engines import digits


@pytest.mark.parametrize(
    ("name", "block", "after"),
    [
        ("resnet18", "layer4", ()),
        ("vit_b_16", "encoder.layers.encoder_layer_11", ("encoder.ln",)),
        ("convnext_tiny", "features.7", ("classifier.0",)),
        ("efficientnet_b0", "features.8", ()),
        ("densenet121", "features.denseblock4", ("features.norm5",)),
    ],
)
def test_the_last_block_of_known_networks(name: str, block: str, after: tuple[str, ...]) -> None:
    with torch.device("meta"):
        body = torchvision.models.get_model(name, weights=None)
    linear = [name for name, layer in body.named_modules() if isinstance(layer, nn.Linear)]
    body.set_submodule(linear[-1], nn.Identity())
    every = body.state_dict().keys()
    fix_before_last_block(body)
    trained = {name for name, _ in body.named_parameters()}
    parts = (block, *after)
    assert trained
    for each in trained:
        assert each.startswith(tuple(f"{part}." for part in parts)), each
    for part in parts:
        assert any(each.startswith(f"{part}.") for each in trained), part
    assert body.state_dict().keys() == every


@pytest.mark.parametrize("frozen", [False, "last-block"])
def test_what_is_fixed_stays_as_it_was_and_the_rest_is_trained(frozen: object) -> None:
    """Weights and normalisations alike; all of it is trained where nothing is frozen."""
    recipe = training.resolve(SMALL | {"frozen": frozen, "epochs": 3}, digits(), 175)
    assert isinstance(recipe, GradientRecipe)
    subset = (np.arange(250) < 175)[None]
    networks, _ = recipe.engine("cpu").train_stack(digits(), subset, np.array([5]))
    (body,) = [m for name, m in networks.network.named_modules() if name.endswith(".body")]
    changed = {
        name.partition(".")[0]
        for name, tensor in small().state_dict().items()
        if not torch.equal(tensor, body.state_dict()[name])
    }
    assert changed == ({"1"} if frozen else {"0", "1"})


def test_heads_differ_by_their_seed_and_bodies_do_not() -> None:
    recipe = training.resolve(SMALL | {"frozen": False}, digits(), 175)
    assert isinstance(recipe, GradientRecipe)
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(recipe.network((1, 8, 8), 10).state_dict())
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name])
        assert torch.equal(tensor, states[2][name]) == name.startswith("body.")
