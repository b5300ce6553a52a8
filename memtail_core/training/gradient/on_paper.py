"""What a network takes, returns and needs, found by running two examples through it."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from memtail_core.data.modalities import Feed

_SMALL_NETWORK = 2**24  # weights
_SMALL_EXAMPLE = 64 * 64 * 3  # numbers


def on_paper(
    build: Callable[[], nn.Module], feed: Feed, batch: int, outputs: tuple[int, ...]
) -> tuple[nn.Module, int]:
    """Build a network and run a batch through, if large without memory or arithmetic.

    Arithmetic of a small network takes milliseconds; without it, torch first imports its compiler
    for seconds.

    Args:
        build: makes the network.
        feed: how it is fed.
        batch: examples at once, in training mode.
        outputs: the shape of what it should return for each.

    Returns:
        the network, and how many bytes each example keeps for the gradients.

    Raises:
        ValueError: it returns another shape.
        Exception: each network refuses what it cannot take in its own way.
    """
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            weights = sum(parameter.numel() for parameter in build().parameters())
        is_small = weights <= _SMALL_NETWORK and prod(feed.shape) <= _SMALL_EXAMPLE
        return _tried(build, feed, batch, outputs, "cpu" if is_small else "meta")
    except NotImplementedError:  # RegNets compute their widths with tensors
        return _tried(build, feed, batch, outputs, "cpu")


def _tried(
    build: Callable[[], nn.Module], feed: Feed, batch: int, outputs: tuple[int, ...], device: str
) -> tuple[nn.Module, int]:
    kept: dict[int, Tensor] = {}
    with torch.device(device), torch.random.fork_rng(devices=[]):
        network = build()
        weights = {p.untyped_storage()._cdata for p in network.parameters()}

        def keep(tensor: Tensor) -> Tensor:
            if (memory := tensor.untyped_storage()._cdata) not in weights:
                kept[memory] = tensor
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            logits: Tensor = network(blank(feed, batch))
    if logits.shape != (batch, *outputs):
        raise ValueError(f"it returns {list(logits.shape)}, not a logit per class")
    return network, sum(t.numel() * t.element_size() for t in kept.values()) // batch


def answer(network: nn.Module, feed: Feed, n: int) -> Tensor:
    """What a network returns for n inputs of zeros, where it is."""
    with next(network.parameters()).device, torch.random.fork_rng(devices=[]):
        logits: Tensor = network(blank(feed, n))
    return logits


def blank(feed: Feed, n: int) -> Tensor:
    """Return n inputs of zeros, as a network is fed them."""
    return torch.zeros(n, *feed.shape, dtype=torch.int64 if feed.divisor is None else None)
