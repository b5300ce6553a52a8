"""The gradient of each example, layer by layer, from one backward pass over a batch.

Where a layer is linear in its weights, an example's gradient is a sum of outer products over the
positions l at which the layer is applied (one, of a fully connected layer):

    G_i = Σ_l δ_il a_ilᵀ        a: the layer's input, a 1 for the biases; δ: ∂f_i / ∂ its output

so that its norm (Goodfellow, "Efficient per-example gradient computations", 2015) and its
projections do not need the gradient itself. Normalisations and other layers are left out; they have
few weights.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from memtail_core.approximations.run import Networks

_ROWS = 128  # examples at a time

Factors = tuple[Tensor, Tensor]  # a [B, L, inputs + 1] and δ [B, L, outputs]


def margins(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return log p_y − log(1 − p_y) of each example, float32 [B]."""
    logits = network(x).float()
    own: Tensor = logits.gather(1, y[:, None])[:, 0]
    others: Tensor = logits.scatter(1, y[:, None], -torch.inf).logsumexp(1)
    return own - others


def factors(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, list[Factors]]:
    """Return the margins [B] and, for each fully connected or convolutional layer, a and δ.

    The loss −log p_y has the gradient −(1 − p_y) ∇margin.

    Args:
        network: in inference mode, so that no example depends on another.
        x, y: inputs [B, …] and labels, int64 [B].
    """
    recorded: list[tuple[nn.Module, Tensor, Tensor]] = []
    with _recording(network, recorded), torch.enable_grad():
        margin = margins(network, x, y)
        margin.sum().backward()
    by_layer: dict[tuple[nn.Module, int], Factors] = {}
    for layer, inputs, gradient in recorded:
        for group, (a, delta) in enumerate(_unfolded(layer, inputs, gradient)):
            before = by_layer.get((layer, group))  # of a layer that is used more than once
            by_layer[layer, group] = (
                (a, delta)
                if before is None
                else (torch.cat([before[0], a], 1), torch.cat([before[1], delta], 1))
            )
    for parameter in network.parameters():
        parameter.grad = None
    return margin.detach(), list(by_layer.values())


def reduced(networks: Networks, reduce: Callable[[list[Factors]], Tensor]) -> dict[str, Tensor]:
    """Reduce the gradients of all examples in the trained network to k numbers each.

    Args:
        networks: of a training.
        reduce: takes the factors of B examples, returns [B, k].

    Returns:
        ``train``, [n, k], and ``test``, [n_test, k], in main memory.
    """
    data, network = networks.setting.data, networks.at(-1)
    sides = (("train", data.x_train, data.y_train), ("test", data.x_test, data.y_test))
    found = {}
    for name, x, y in sides:
        parts = []
        for rows, labels in zip(x.split(_ROWS), y.split(_ROWS), strict=True):
            _, layers = factors(network, data.inputs(rows), labels)
            parts.append(reduce(layers).cpu())
        found[name] = torch.cat(parts)
    return found


@contextmanager
def _recording(
    network: nn.Module, recorded: list[tuple[nn.Module, Tensor, Tensor]]
) -> Iterator[None]:
    """Record the inputs of each layer and the gradients at its outputs, the last layer first."""

    def record_layer(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept = inputs[0].detach()

        def record(gradient: Tensor) -> None:
            recorded.append((layer, kept, gradient))

        output.register_hook(record)

    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    hooks = [layer.register_forward_hook(record_layer) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _unfolded(layer: nn.Module, inputs: Tensor, gradient: Tensor) -> Iterator[Factors]:
    """a and δ of a layer; of a grouped convolution, of each group."""
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            return
        patches = functional.unfold(
            inputs,
            layer.kernel_size,
            layer.dilation,
            layer.padding,
            layer.stride,
        )
        deltas = gradient.flatten(2)
        groups = layer.groups
        for a, delta in zip(patches.chunk(groups, 1), deltas.chunk(groups, 1), strict=True):
            yield _with_bias(a.transpose(1, 2), layer.bias), delta.transpose(1, 2)
    else:
        a = inputs.reshape(len(inputs), -1, inputs.shape[-1])
        yield _with_bias(a, layer.bias), gradient.reshape(len(inputs), -1, gradient.shape[-1])


def _with_bias(a: Tensor, bias: object) -> Tensor:
    return a if bias is None else functional.pad(a, (0, 1), value=1.0)


def squared_norms(of: Factors) -> Tensor:
    """‖G_i‖² of each example, [B], computed in the cheaper of two ways."""
    a, delta = of
    positions, inputs, outputs = a.shape[1], a.shape[2], delta.shape[2]
    if positions**2 <= inputs * outputs:
        return ((a @ a.transpose(1, 2)) * (delta @ delta.transpose(1, 2))).sum((1, 2))
    return (delta.transpose(1, 2) @ a).square().sum((1, 2))
