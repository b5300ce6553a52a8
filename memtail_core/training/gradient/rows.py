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

from memtail_core.compiled import ROW, compiled, set_row

LEFT, RIGHT = 0x9E3779B1, 0x85EBCA77
"""By which the two tokens of a pair are multiplied before they are hashed."""

_LANES = ROW // 4  # numbers that are added at once


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
        k, b, t = tokens.shape
        terms, ends = np.empty(k * b * 2 * t, np.int32), np.zeros(k * b + 1, np.int32)
        _terms(tokens.numpy(), vocabulary, buckets, terms, ends[1:])
        terms, counts = terms[: ends[-1]], np.maximum(np.diff(ends), 1)
        ctx.terms, ctx.ends, ctx.counts, ctx.shape = terms, ends, counts, weight.shape
        of, starts = torch.from_numpy(terms), torch.from_numpy(ends[:-1])
        summed = functional.embedding_bag(of, weight, starts, mode="sum")
        return summed.div_(torch.from_numpy(counts)[:, None]).view(k, b, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        made = torch.empty(ctx.shape)
        shares = gradients[0] / torch.from_numpy(ctx.counts).view(*gradients[0].shape[:2], 1)
        of_texts = shares.flatten(0, 1).contiguous().numpy()
        terms = ctx.terms.view(np.uint32)
        _add_shares(made.numpy(), terms, ctx.ends, of_texts, len(shares))
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
        rows = terms.reshape(-1).contiguous().numpy().view(np.uint64)
        _add_rows(made.numpy(), rows, outer.numpy())
        return made, None


@compiled
def _terms(
    tokens: NDArray[Any],
    vocabulary: int,
    buckets: int,
    terms: NDArray[np.int32],
    ends: NDArray[np.int32],
) -> None:
    """Fill ``terms`` with the rows of tokens [K, B, T] and of their pairs, in the texts' order.

    ``ends`` [K · B] are where each text's terms end.
    """
    n, rows = 0, 1 + vocabulary + buckets
    for k in range(tokens.shape[0]):
        for b in range(tokens.shape[1]):
            text = tokens[k, b]
            for t in range(len(text)):
                if text[t] <= 0:
                    continue
                terms[n] = k * rows + text[t]
                n += 1
                if t + 1 < len(text) and text[t + 1] > 0:
                    mixed = text[t] * LEFT + text[t + 1] * RIGHT
                    bucket = np.uint64(mixed ^ (mixed >> 15)) % np.uint64(buckets)
                    terms[n] = k * rows + 1 + vocabulary + np.int64(bucket)
                    n += 1
            ends[k * tokens.shape[1] + b] = n


# Rows of sixteen numbers are added at once. Row numbers are unsigned in the other loops: a negative
# one would count from the end, which is slow to allow.


@compiled
def _add_shares(
    made: NDArray[Any],
    terms: NDArray[np.uint32],
    ends: NDArray[Any],
    shares: NDArray[Any],
    n_tables: int,
) -> None:
    """Fill made [K · R, width] with the sums of the shares [K · B, width] of each row's texts.

    Terms ends[b] to ends[b + 1] are the rows of text b of K · B. One table after another is set to
    0 and filled, because it fits in the processor's cache.
    """
    rows, n_texts, width = len(made) // n_tables, len(shares) // n_tables, made.shape[1]
    for k in range(n_tables):
        made[k * rows : (k + 1) * rows] = 0
        for text in range(k * n_texts, (k + 1) * n_texts):
            if width == _LANES:
                for i in range(ends[text], ends[text + 1]):
                    to = np.int64(terms[i])
                    set_row(made, to, to, shares, text)
            else:
                share = shares[text]
                for i in range(ends[text], ends[text + 1]):
                    row = made[terms[i]]
                    for c in range(width):
                        row[c] += share[c]


@compiled
def _add_rows(made: NDArray[Any], terms: NDArray[np.uint64], gradients: NDArray[Any]) -> None:
    """Add to made [R, width] the gradient [N, width] of each of N terms, in order."""
    width = made.shape[1]
    if width == _LANES:
        for k in range(len(terms)):
            to = np.int64(terms[k])
            set_row(made, to, to, gradients, k)
    else:
        for k in range(len(terms)):
            row, gradient = made[terms[k]], gradients[k]
            for c in range(width):
                row[c] += gradient[c]
