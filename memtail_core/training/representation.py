"""What a trained network makes of each example, layer by layer: inputs of its parametrised layers.

Where memorization happens (Feldman & Zhang, 2020, section 3.4) is asked of one network trained on
all examples: its representation, the input of its last linear layer, is fixed, and that layer alone
is trained on random subsets.
"""

from dataclasses import dataclass
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
from memtail_core.training.fitting import Fit
from memtail_core.training.gradient import GradientRecipe
from memtail_core.training.gradient_engine import GradientEngine
from memtail_core.training.gradient_options import blank
from memtail_core.training.recipe import Recipe

_MOST_FEATURES = 1024  # of a map, which has many at the early layers of a network
_ROWS = 256  # at once; constant, for the batch can change the last bits


@dataclass(frozen=True)
class Accuracy:
    """Of a network on the examples it was trained on and on the test set."""

    train: float
    test: float


@dataclass(frozen=True, eq=False)
class Representation:
    """The inputs of one layer of a trained network, a row an example.

    Attributes:
        train, test: float32 [n, d] and [n_test, d].
        accuracy: the network's own, the same for all its layers.
    """

    train: NDArray[np.float32]
    test: NDArray[np.float32]
    accuracy: Accuracy


def representations(
    recipe: Recipe, dataset: Dataset, device: str, seed: int, tuning: Tuning = UNTUNED
) -> dict[str, Representation]:
    """Train one network on all training examples; return what its layers see, in order.

    The network is in inference mode. ``"input"`` is what it is given, standardized or not as the
    recipe says; ``"block 1"``, ``"block 2"``, … are the inputs of its later top-level layers that
    have weights; ``"last"`` is the input of its last linear layer: logits are linear in it. Maps
    [C, h, w] are averaged over positions to at most 1,024 features, then flattened; inputs that are
    no tensors are left out.

    Args:
        recipe: a :class:`GradientRecipe` of whose networks the last layer is linear.
        dataset: all of it is trained on.
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
        fit, data = engine.fitted(dataset, everything, np.array([seed], dtype=np.int64))
        train_correct, _ = engine.outcome(fit, data.x_train, data.y_train)
        test_correct, _ = engine.outcome(fit, data.x_test, data.y_test)
        train, test = _seen(fit, data.x_train), _seen(fit, data.x_test)
    accuracy = Accuracy(float(train_correct.mean()), float(test_correct.mean()))
    return {name: Representation(train[name], test[name], accuracy) for name in train}


def _checked(recipe: Recipe, dataset: Dataset) -> GradientRecipe:
    """Refuse what has no last linear layer, before anything is trained."""
    advice = "use 'mlp', 'cnn', 'resnet9' or, say, 'torchvision:resnet18'"
    if not isinstance(recipe, GradientRecipe):
        raise TrainingError(f"'{recipe.recipe}' is no network, it has no last layer: {advice}")
    if not ends_linear(recipe, dataset):
        raise TrainingError(f"the last layer of '{recipe.recipe}' is not linear: {advice}")
    return recipe


def ends_linear(recipe: GradientRecipe, dataset: Dataset) -> bool:
    """Whether the logits of the recipe's networks are what :func:`last_linear` returns."""
    feed = dataset.feed
    with own_randomness(torch.device("cpu")), torch.inference_mode():
        network = recipe.network(feed.shape, len(dataset.classes)).eval()
        linear, outputs = last_linear(network), []
        if linear is not None:
            linear.register_forward_hook(lambda _, __, output: outputs.append(output))
        logits = network(blank(feed, 1))
    return bool(outputs) and torch.equal(outputs[-1], logits)


def last_linear(network: nn.Module) -> nn.Linear | None:
    """The linear layer that was made last; None if there is none."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


def _layers(network: nn.Module) -> list[nn.Module]:
    """Top-level layers that have weights, of the innermost network that has several."""
    layers = [child for child in network.children() if any(True for _ in child.parameters())]
    if len(layers) == 1 and any(True for _ in layers[0].children()):
        return _layers(layers[0])
    return layers


def _seen(fit: Fit, rows: Tensor) -> dict[str, NDArray[np.float32]]:
    """What the layers of the only network of ``fit`` see of stored rows [N, …]."""
    last = last_linear(fit.network)
    later = [layer for layer in _layers(fit.network)[1:] if layer is not last]
    watched = {"input": fit.network}
    watched |= {f"block {number}": layer for number, layer in enumerate(later, 1)}
    if last is not None:
        watched["last"] = last
    seen: dict[str, list[Tensor]] = {name: [] for name in watched}

    def see(name: str, _: nn.Module, inputs: tuple[object, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            x = inputs[0][0] if name == "input" else inputs[0]  # the stack's only network
            seen[name].append(_flat(x).cpu())

    hooks = [
        module.register_forward_pre_hook(partial(see, name)) for name, module in watched.items()
    ]
    try:
        with own_randomness(rows.device):
            for some in rows.split(_ROWS):
                fit.logits(some)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(parts).numpy() for name, parts in seen.items() if parts}


def _flat(x: Tensor) -> Tensor:
    """[N, …] → float32 [N, d ≤ 1,024 of maps]: those are averaged over positions to get there."""
    x = x.float()
    if x.ndim == 4:
        most = max(1, isqrt(_MOST_FEATURES // x.shape[1]))
        h, w = (min(side, most) for side in x.shape[2:])
        x = functional.adaptive_avg_pool2d(x, (h, w))
    return x.flatten(1)
