"""Rows of a table of weights, added up by bag or looked up one by one.

Torch computes both. On a CPU its gradients of a large table cost many times the forward pass, so
there a loop of our own adds each bag's gradient to the rows it was made of, in order: the same bits
each time.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

P = ParamSpec("P")
R = TypeVar("R")


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile when first called, and keep what was compiled where that is possible."""
    try:
        made: Callable[P, R] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep it
        made = njit(nogil=True)(function)
    return made


def sums(weight: Tensor, terms: Tensor, starts: Tensor, shares: Tensor) -> Tensor:
    """Σ share · weight[term] over the terms of each bag.

    Args:
        weight: [R, width].
        terms: int64 [n], rows of ``weight``; bag i has those from ``starts[i]`` on.
        starts: int64 [bags].
        shares: [n], in the type of ``weight``.

    Returns:
        [bags, width]; 0 for a bag of no terms.
    """
    if weight.device.type == "cpu" and weight.dtype == torch.float32:
        made: Tensor = _Sums.apply(weight, terms, starts, shares)
        return made
    return functional.embedding_bag(terms, weight, starts, mode="sum", per_sample_weights=shares)


def looked_up(weight: Tensor, terms: Tensor) -> Tensor:
    """weight[term], [*, width] for terms int64 [*]."""
    if weight.device.type == "cpu" and weight.dtype == torch.float32:
        made: Tensor = _Rows.apply(weight, terms)
        return made
    return functional.embedding(terms, weight)


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, terms: Tensor, starts: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(terms, starts, shares)
        ctx.shape = weight.shape
        return functional.embedding_bag(
            terms, weight, starts, mode="sum", per_sample_weights=shares
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        terms, starts, shares = ctx.saved_tensors
        made = torch.zeros(ctx.shape)
        outer = gradients[0].contiguous()
        _add_bags(made.numpy(), terms.numpy(), starts.numpy(), shares.numpy(), outer.numpy())
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


@_compiled
def _add_bags(
    made: NDArray[Any],
    terms: NDArray[Any],
    starts: NDArray[Any],
    shares: NDArray[Any],
    gradients: NDArray[Any],
) -> None:
    for bag in range(len(starts)):
        end = starts[bag + 1] if bag + 1 < len(starts) else len(terms)
        for k in range(starts[bag], end):
            row, share = terms[k], shares[k]
            for c in range(made.shape[1]):
                made[row, c] += share * gradients[bag, c]


@_compiled
def _add_rows(made: NDArray[Any], terms: NDArray[Any], gradients: NDArray[Any]) -> None:
    for k in range(len(terms)):
        row = terms[k]
        for c in range(made.shape[1]):
            made[row, c] += gradients[k, c]
