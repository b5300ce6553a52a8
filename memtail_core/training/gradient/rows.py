"""Rows of a table of weights: averaged over the tokens of a text, or looked up one by one.

Torch computes both. On a CPU its gradients of a large table cost many times the forward pass, so
there loops of our own read the tokens and add each gradient to the rows it belongs to, in order:
the same bits each time.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from memtail_core.compiled import compiled

LEFT, RIGHT = 0x9E3779B1, 0x85EBCA77
"""By which the two tokens of a pair are multiplied before they are hashed."""


def hashed_pairs(tokens: Tensor, buckets: int) -> Tensor:
    """Hash each token with the next: int64 [*, T] → [*, T − 1], 0 … buckets − 1."""
    mixed = tokens[..., :-1] * LEFT + tokens[..., 1:] * RIGHT
    return (mixed ^ (mixed >> 15)) % buckets


def means(weight: Tensor, tokens: Tensor, vocabulary: int, buckets: int) -> Tensor:
    """Average the rows of the tokens of each text and of its pairs of neighbouring tokens.

    Args:
        weight: [K · R, width], K tables of R = 1 + vocabulary + buckets rows: one that is not used,
            one for each token, one for each bucket that pairs are hashed to.
        tokens: int64 [K, B, T]; 0 is no token.
        vocabulary, buckets: how many there are.

    Returns:
        [K, B, width]; 0 for a text without tokens.
    """
    if weight.device.type == "cpu" and weight.dtype == torch.float32:
        made: Tensor = _Means.apply(weight, tokens.contiguous(), vocabulary, buckets)
        return made
    is_pair = (tokens[..., :-1] > 0) & (tokens[..., 1:] > 0)
    terms = torch.cat([tokens, (hashed_pairs(tokens, buckets) + 1 + vocabulary) * is_pair], -1)
    is_term = terms > 0
    share = (is_term / is_term.sum(-1, keepdim=True).clamp(min=1)).to(weight.dtype)
    first = torch.arange(len(tokens), device=tokens.device) * (1 + vocabulary + buckets)
    bags = (terms + first[:, None, None]).flatten(0, 1)
    summed = functional.embedding_bag(
        bags, weight, mode="sum", per_sample_weights=share.flatten(0, 1)
    )
    return summed.view(*tokens.shape[:2], -1)


def looked_up(weight: Tensor, terms: Tensor) -> Tensor:
    """weight[term], [*, width] for terms int64 [*]."""
    if weight.device.type == "cpu" and weight.dtype == torch.float32:
        made: Tensor = _Rows.apply(weight, terms)
        return made
    return functional.embedding(terms, weight)


class _Means(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, vocabulary: int, buckets: int) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.shape, ctx.sizes = weight.shape, (vocabulary, buckets)
        made = torch.zeros(*tokens.shape[:2], weight.shape[1])
        _means(weight.detach().numpy(), tokens.numpy(), vocabulary, buckets, made.numpy())
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (tokens,) = ctx.saved_tensors
        made = torch.zeros(ctx.shape)
        outer = gradients[0].contiguous().numpy()
        vocabulary, buckets = ctx.sizes
        _add_means(made.numpy(), tokens.numpy(), vocabulary, buckets, outer)
        return made, None, None, None


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, terms: Tensor) -> Tensor:
        ctx.save_for_backward(terms)
        ctx.shape = weight.shape
        return functional.embedding(terms, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (terms,) = ctx.saved_tensors
        made = torch.zeros(ctx.shape)
        outer = gradients[0].reshape(-1, ctx.shape[1]).contiguous()
        _add_rows(made.numpy(), terms.reshape(-1).contiguous().numpy(), outer.numpy())
        return made, None


@compiled
def _pair(left: int, right: int, buckets: int) -> int:
    mixed = left * LEFT + right * RIGHT
    return (mixed ^ (mixed >> 15)) % buckets


@compiled
def _count(tokens: NDArray[Any]) -> int:
    n = 0
    for t in range(len(tokens)):
        if tokens[t] > 0:
            n += 1
            if t + 1 < len(tokens) and tokens[t + 1] > 0:
                n += 1
    return n


@compiled
def _means(
    weight: NDArray[Any], tokens: NDArray[Any], vocabulary: int, buckets: int, made: NDArray[Any]
) -> None:
    """Fill made [K, B, width] with the means of the rows of tokens [K, B, T] and their pairs."""
    width, rows = weight.shape[1], 1 + vocabulary + buckets
    for k in range(tokens.shape[0]):
        for b in range(tokens.shape[1]):
            text = tokens[k, b]
            count = _count(text)
            for t in range(len(text)):
                if text[t] <= 0:
                    continue
                row = k * rows + text[t]
                for c in range(width):
                    made[k, b, c] += weight[row, c]
                if t + 1 < len(text) and text[t + 1] > 0:
                    row = k * rows + 1 + vocabulary + _pair(text[t], text[t + 1], buckets)
                    for c in range(width):
                        made[k, b, c] += weight[row, c]
            if count:
                for c in range(width):
                    made[k, b, c] /= count


@compiled
def _add_means(
    made: NDArray[Any],
    tokens: NDArray[Any],
    vocabulary: int,
    buckets: int,
    gradients: NDArray[Any],
) -> None:
    """Add the gradients [K, B, width] of :func:`_means` to those of its weights."""
    width, rows = made.shape[1], 1 + vocabulary + buckets
    share = np.zeros(width, np.float32)
    for k in range(tokens.shape[0]):
        for b in range(tokens.shape[1]):
            text = tokens[k, b]
            count = max(_count(text), 1)
            for c in range(width):
                share[c] = gradients[k, b, c] / count
            for t in range(len(text)):
                if text[t] <= 0:
                    continue
                row = k * rows + text[t]
                for c in range(width):
                    made[row, c] += share[c]
                if t + 1 < len(text) and text[t + 1] > 0:
                    row = k * rows + 1 + vocabulary + _pair(text[t], text[t + 1], buckets)
                    for c in range(width):
                        made[row, c] += share[c]


@compiled
def _add_rows(made: NDArray[Any], terms: NDArray[Any], gradients: NDArray[Any]) -> None:
    for k in range(len(terms)):
        row = terms[k]
        for c in range(made.shape[1]):
            made[row, c] += gradients[k, c]
