"""The Hessian of a multinomial logistic regression, to precondition others on the same features.

    H = Σ_i (diag p_i − p_i p_iᵀ) ⊗ x_i x_iᵀ / n  +  l2 I

Small, it is kept whole; larger, a d × d block for each class. Where these would be too large as
well it becomes one product of a C × C and a d × d matrix, the means of both factors, the second
weighted with the trace of the first; where the weights are 0 that is exact (and with ½ for 1/C the
bound of Böhning, 1992).
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_WHOLE = 2_500  # rows of a Hessian that is inverted whole
_BLOCKS = 2**25  # numbers in the blocks of all classes
_SAMPLE = 20_000  # examples, evenly spaced, that stand for all
_DECOMPOSED = 4_200  # features whose second moments are decomposed; of more, the diagonal alone
_ROWS = 1024
_ROUNDING = 1e-6


class Curvature(Protocol):
    """An approximate Hessian that can be solved with."""

    def solved(self, gradient: Tensor) -> Tensor:
        """H⁻¹ g for K models: [K, C, d] → [K, C, d]."""
        ...

    def to(self, dtype: torch.dtype) -> "Curvature":
        """The same in another precision."""
        ...


@dataclass(frozen=True, eq=False)
class Whole:
    """H⁻¹, [C·d, C·d]."""

    inverse: Tensor

    def solved(self, gradient: Tensor) -> Tensor:
        """See :class:`Curvature`."""
        return (gradient.flatten(1) @ self.inverse).view_as(gradient)

    def to(self, dtype: torch.dtype) -> "Whole":
        """See :class:`Curvature`."""
        return Whole(self.inverse.to(dtype))


@dataclass(frozen=True, eq=False)
class Blocks:
    """H_c⁻¹ for each class, [C, d, d]."""

    inverse: Tensor

    def solved(self, gradient: Tensor) -> Tensor:
        """See :class:`Curvature`."""
        return torch.bmm(gradient.transpose(0, 1), self.inverse).transpose(0, 1).contiguous()

    def to(self, dtype: torch.dtype) -> "Blocks":
        """See :class:`Curvature`."""
        return Blocks(self.inverse.to(dtype))


@dataclass(frozen=True, eq=False)
class Product:
    """H = B ⊗ A + l2 I by the eigenvectors of both.

    Attributes:
        classes: eigenvectors of B, [C, C].
        features: eigenvectors of A, [d, d], or None where A is diagonal.
        inverse: 1 / (β α + l2) for each pair of eigenvalues, [C, d].
    """

    classes: Tensor
    features: Tensor | None
    inverse: Tensor

    def solved(self, gradient: Tensor) -> Tensor:
        """See :class:`Curvature`."""
        g = gradient if self.features is None else gradient @ self.features
        g = self.classes @ ((self.classes.T @ g) * self.inverse)
        return g if self.features is None else g @ self.features.T

    def to(self, dtype: torch.dtype) -> "Product":
        """See :class:`Curvature`."""
        features = None if self.features is None else self.features.to(dtype)
        return Product(self.classes.to(dtype), features, self.inverse.to(dtype))


def at_zero(x: Tensor, n_classes: int, l2: float) -> Curvature:
    """The Hessian where all weights are 0, x [n, d]."""
    return _product(x, x.new_zeros(n_classes, x.shape[1]), l2)


def at(x: Tensor, weights: Tensor, l2: float) -> Curvature:
    """The Hessian at ``weights`` [C, d] on x [n, d]."""
    x = x[:: -(-len(x) // _SAMPLE)]
    if weights.numel() <= _WHOLE:
        return _whole(x, weights, l2)
    if weights.numel() * x.shape[1] <= _BLOCKS:
        return _blocks(x, weights, l2)
    return _product(x, weights, l2)


def peak_bytes(d: int, n_classes: int) -> int:
    """Bytes that making one takes: what is kept, and three times as much in float64 while inverted.

    Args:
        d, n_classes: as in the weights [C, d].
    """
    weights = n_classes * d
    if weights <= _WHOLE:
        return 28 * weights**2
    moments = 28 * d**2 if d <= _DECOMPOSED else 0
    return moments + (4 * weights * d if weights * d <= _BLOCKS else 0)


def _whole(x: Tensor, weights: Tensor, l2: float) -> Whole:
    c, d = weights.shape
    hessian = x.new_zeros(c, d, c, d)
    flat = hessian.view(c * d, c * d)
    for rows in x.split(_ROWS):
        p = (rows @ weights.T).softmax(1)
        both = (p[:, :, None] * rows[:, None]).flatten(1)
        flat.addmm_(both.T, both, alpha=-1)
        hessian.diagonal(dim1=0, dim2=2).add_((both.T @ rows).view(c, d, d).permute(1, 2, 0))
    return Whole(_inverse(flat / len(x), l2))


def _blocks(x: Tensor, weights: Tensor, l2: float) -> Blocks:
    p = (x @ weights.T).softmax(1)
    variances = (p - p.square()).T / len(x)
    return Blocks(torch.stack([_inverse((x.T * v) @ x, l2) for v in variances]))


def _inverse(hessian: Tensor, l2: float) -> Tensor:
    """(H + l2 I)⁻¹; what is added above l2 is for rounding, and for what softmax does not see."""
    exact = hessian.double()
    exact.diagonal().add_(l2 + _ROUNDING * float(exact.diagonal().max()))
    return torch.cholesky_inverse(torch.linalg.cholesky(exact)).to(hessian.dtype)


def _product(x: Tensor, weights: Tensor, l2: float) -> Product:
    c, d = weights.shape
    by_class = x.new_zeros(c, c)
    moments = x.new_zeros(d, d) if d <= _DECOMPOSED else x.new_zeros(d)
    total = x.new_zeros(())
    for rows in x.split(_ROWS):
        p = (rows @ weights.T).softmax(1)
        trace = 1 - p.square().sum(1)
        by_class += torch.diag(p.sum(0)) - p.T @ p
        total += trace.sum()
        weighted = rows * trace[:, None]
        moments += weighted.T @ rows if d <= _DECOMPOSED else (weighted * rows).sum(0)
    beta, classes = torch.linalg.eigh(by_class.double() / len(x))
    moments = moments.double() / total.clamp_min(torch.finfo(x.dtype).tiny)
    alpha, features = torch.linalg.eigh(moments) if d <= _DECOMPOSED else (moments, None)
    scale = beta.clamp_min(0)[:, None] * alpha.clamp_min(0)
    inverse = 1 / (scale + l2 + _ROUNDING * scale.max())
    to = x.dtype
    return Product(classes.to(to), None if features is None else features.to(to), inverse.to(to))
