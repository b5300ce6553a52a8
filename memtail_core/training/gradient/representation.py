"""The representations of a trained network: the inputs of its layers, for every example.

Feldman & Zhang (2020, section 3.4) ask whether memorization happens in the last layer: they train
one network on all examples, fix its representation (the input of the last linear layer), and train
only that layer on random subsets.
"""

from dataclasses import dataclass, replace
from functools import partial
from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from memtail_core.data import Dataset
from memtail_core.errors import TrainingError
from memtail_core.training.device import own_randomness
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.gradient.engine import GradientEngine
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.on_paper import blank
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.resident_data import StoredRows
from memtail_core.training.recipe import Recipe

_MOST_FEATURES = 1024  # of a map; those of early layers have many more
_ROWS = 256  # at once; constant, because the batch size can change the last bits


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a network on its training examples and on the test set."""

    train: float
    test: float


@dataclass(frozen=True, eq=False)
class Representation:
    """The inputs of one layer of a trained network, one row per example.

    Attributes:
        train, test: float32 [n, d] and [n_test, d].
        accuracy: that of the network, the same for all its layers.
    """

    train: NDArray[np.float32]
    test: NDArray[np.float32]
    accuracy: Accuracy


def representations(
    recipe: Recipe, dataset: Dataset, device: str, seed: int, tuning: Tuning = UNTUNED
) -> dict[str, Representation]:
    """Train one network on all training examples; return the inputs of its layers, in order.

    The network is in inference mode. ``"input"`` is its input, standardized if the recipe says so,
    and left out where it is symbols;
    ``"block 1"``, ``"block 2"``, … are the inputs of its later top-level layers with weights;
    ``"last"`` is the input of its last linear layer, in which the logits are linear. Maps [C, h, w]
    are averaged over positions to at most 1,024 features and flattened. Inputs that are not tensors
    are left out.

    Args:
        recipe: a :class:`GradientRecipe` whose networks end with a linear layer.
        dataset: the data; the network trains on all training examples.
        device: "cpu", "cuda", "cuda:1".
        seed: the network's randomness, as a trial's.
        tuning: its precision.

    Raises:
        TrainingError: the recipe has no such layer; the network diverged, or memory ran out.
    """
    network_recipe = _checked(recipe, dataset)
    engine = GradientEngine(network_recipe, device, tuning)
    everything = np.ones((1, len(dataset.y_train)), dtype=np.bool_)
    with engine.reporting_out_of_memory():
        networks, data = engine.train_stack(dataset, everything, np.array([seed], dtype=np.int64))
        train_correct = engine.outcome(networks, data.x_train, data.y_train).correct
        test_correct = engine.outcome(networks, data.x_test, data.y_test).correct
        train, test = _layer_inputs(networks, data.x_train), _layer_inputs(networks, data.x_test)
    if dataset.feed.divisor is None:  # symbols are no vectors
        train.pop("input"), test.pop("input")
    accuracy = Accuracy(float(train_correct.mean()), float(test_correct.mean()))
    return {name: Representation(train[name], test[name], accuracy) for name in train}


def _checked(recipe: Recipe, dataset: Dataset) -> GradientRecipe:
    """Refuse recipes without a last linear layer, before anything is trained."""
    advice = "use 'mlp', 'cnn', 'resnet9' or, say, 'torchvision:resnet18'"
    if not isinstance(recipe, GradientRecipe):
        raise TrainingError(f"'{recipe.recipe}' is not a network and has no last layer: {advice}")
    if not ends_linear(recipe, dataset):
        raise TrainingError(f"the last layer of '{recipe.recipe}' is not linear: {advice}")
    return recipe


def ends_linear(recipe: GradientRecipe, dataset: Dataset) -> bool:
    """Whether the logits of the recipe's networks are the output of :func:`last_linear`."""
    feed = replace(dataset.feed, shape=recipe.input_shape(dataset.feed))
    with own_randomness(torch.device("cpu")), torch.inference_mode():
        network = recipe.network(feed.shape, len(dataset.classes)).eval()
        linear, outputs = last_linear(network), []
        if linear is not None:
            linear.register_forward_hook(lambda _, __, output: outputs.append(output))
        logits = network(blank(feed, 1))
    return bool(outputs) and torch.equal(outputs[-1], logits)


def last_linear(network: nn.Module) -> nn.Linear | None:
    """The linear layer created last; None if there is none."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


def _layers(network: nn.Module) -> list[nn.Module]:
    """The top-level layers with weights, in the innermost network that has several."""
    layers = [child for child in network.children() if any(True for _ in child.parameters())]
    if len(layers) == 1 and any(True for _ in layers[0].children()):
        return _layers(layers[0])
    return layers


def _layer_inputs(networks: NetworkStack, rows: StoredRows) -> dict[str, NDArray[np.float32]]:
    """The inputs of each layer, for stored rows [N, …]; the stack has one network."""
    last = last_linear(networks.network)
    later = [layer for layer in _layers(networks.network)[1:] if layer is not last]
    layers = {"input": networks.network}
    layers |= {f"block {number}": layer for number, layer in enumerate(later, 1)}
    if last is not None:
        layers["last"] = last
    batches: dict[str, list[Tensor]] = {name: [] for name in layers}

    def record(name: str, _: nn.Module, inputs: tuple[object, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            x = inputs[0][0] if name == "input" else inputs[0]  # the stack's only network
            batches[name].append(_flat(x).cpu())

    hooks = [
        module.register_forward_pre_hook(partial(record, name)) for name, module in layers.items()
    ]
    try:
        with own_randomness(rows.device):
            for some in rows.split(_ROWS):
                networks.logits(some)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(parts).numpy() for name, parts in batches.items() if parts}


def _flat(x: Tensor) -> Tensor:
    """[N, …] → float32 [N, d]; maps are averaged over positions so that d ≤ 1,024."""
    x = x.float()
    if x.ndim == 4:
        most = max(1, isqrt(_MOST_FEATURES // x.shape[1]))
        h, w = (min(side, most) for side in x.shape[2:])
        x = functional.adaptive_avg_pool2d(x, (h, w))
    return x.flatten(1)
