"""K networks of one architecture joined into one module, layer by layer.

Fully connected layers become batched products, convolutions become grouped convolutions, and
normalisations become wider. Features have the shape [K, B, F], tokens [K, B, T], images
[B, K·C, h, w], one network's channels after another's. No network sees anything of another, so each
trains as it would alone, up to rounding.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from memtail_core.training.gradient.text_layers import Embedding, HashedBag, Norm, Positions

_OF_TOKENS = (HashedBag, Embedding, Positions, Norm)  # each says how K of it are joined
_Wide = TypeVar("_Wide", bound=nn.Module)


def stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """Return one module that maps inputs [K, B, *shape] to logits [K, B, classes].

    Args:
        networks: K of one architecture, made of the layers below and of layers without weights
            or randomness; a single network may have any layers.
    """
    return _Alone(networks[0]) if len(networks) == 1 else _Stack(networks)


class _Alone(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x[0])
        return logits[None]


class _Stack(nn.Module):
    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        leaves = [m for m in networks[0].modules() if not any(m.children())]
        self.takes_images = isinstance(leaves[0], nn.Conv2d)
        self.network = _layer(networks)

    def forward(self, x: Tensor) -> Tensor:
        if self.takes_images:
            x = x.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(x)
        return logits


def _layer(layers: Sequence[nn.Module]) -> nn.Module:
    """Join one layer of K networks; a composite layer, part by part."""
    first = layers[0]
    if isinstance(first, nn.Linear):
        return _Linear(layers)
    if isinstance(first, nn.Conv2d):
        return _conv(first, layers)
    if isinstance(first, nn.BatchNorm2d):
        return _batch_norm(first, layers)
    if isinstance(first, nn.Flatten):
        return _Flatten(len(layers))
    if isinstance(first, _OF_TOKENS):
        return type(first).joined(layers)  # type: ignore[arg-type]
    if list(first.parameters(recurse=False)):
        raise TypeError(f"{type(first).__name__} layers cannot be stacked")
    composite = deepcopy(first)
    for name, _ in first.named_children():
        setattr(composite, name, _layer([getattr(layer, name) for layer in layers]))
    return composite


class _Linear(nn.Module):
    """x [K, B, …, in] → [K, B, …, out], one product per network; weights are [K, in, out]."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        states = [layer.state_dict() for layer in layers]
        self.weight = nn.Parameter(torch.stack([state["weight"].T for state in states]))
        self.bias = nn.Parameter(torch.stack([state["bias"] for state in states])[:, None])

    def forward(self, x: Tensor) -> Tensor:
        y = torch.baddbmm(self.bias, x.flatten(1, -2), self.weight)
        return y.view(*x.shape[:-1], -1)


def _conv(first: nn.Conv2d, layers: Sequence[nn.Module]) -> nn.Conv2d:
    k = len(layers)
    wide = nn.Conv2d(
        k * first.in_channels,
        k * first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        first.dilation,  # type: ignore[arg-type]
        k * first.groups,
        bias=first.bias is not None,
        padding_mode=first.padding_mode,
        device="meta",  # not initialised: that would draw random numbers
    )
    return _filled(wide, layers)


def _batch_norm(first: nn.BatchNorm2d, layers: Sequence[nn.Module]) -> nn.BatchNorm2d:
    wide = nn.BatchNorm2d(
        len(layers) * first.num_features, first.eps, first.momentum, first.affine, device="meta"
    )
    return _filled(wide, layers)


def _filled(wide: _Wide, layers: Sequence[nn.Module]) -> _Wide:
    """Fill ``wide`` with the tensors of the K layers, side by side."""
    states = [layer.state_dict() for layer in layers]
    joined = {
        name: torch.cat([state[name] for state in states]) if first.ndim else first.clone()
        for name, first in states[0].items()
    }
    wide.load_state_dict(joined, assign=True)
    return wide


class _Flatten(nn.Module):
    """Images of K networks, [K, B, C, h, w] or [B, K·C, h, w], or features → [K, B, F]."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 4:
            x = x.unflatten(1, (self.k, -1)).transpose(0, 1)
        return x.flatten(2)
