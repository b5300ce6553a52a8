"""The Hessian of a multinomial logistic regression, the preconditioner of the others.

    H = Σ_i (diag p_i − p_i p_iᵀ) ⊗ x_i x_iᵀ / n  +  l2 I

where the last feature is 1 and its weights, the biases, have almost no penalty. A small H is kept
whole, a larger one as a d × d block for each class. Where the blocks are too large as well, H is
approximated by the product of a C × C and a d × d matrix: the means of both factors, the second
weighted with the trace of the first. Where the weights are 0 that is exact (and with ½ for 1/C it
is the bound of Böhning, 1992). Softmax does not change in the direction that all classes share, so
H is singular there; it is made regular in that direction and left as it is in all others.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from memtail_core.errors import TrainingError

_WHOLE = 2_500  # rows of a Hessian that is inverted whole
_BLOCKS = 2**25  # numbers in the blocks of all classes
_SAMPLE = 20_000  # examples, evenly spaced, that represent all
_DECOMPOSED = 4_200  # with more features, only the diagonal of their second moments is used
_ROWS = 1024
_ROUNDING = 1e-6  # of the diagonal
_BIAS = 1e-4  # of l2; above 0, so that P has an inverse


class Curvature(Protocol):
    """An approximate Hessian H that can solve H x = g."""

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
    """H = B ⊗ A + l2 I ⊗ P by the eigenvectors of both, P being the features' penalties.

    Attributes:
        classes: eigenvectors of B, [C, C].
        features: V with Vᵀ P V = I and Vᵀ A V diagonal, [d, d], or None where A is diagonal.
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
    x = x[:: max(1, -(-len(x) // _SAMPLE))]
    if weights.numel() <= _WHOLE:
        return _whole(x, weights, l2)
    if weights.numel() * x.shape[1] <= _BLOCKS:
        return _blocks(x, weights, l2)
    return _product(x, weights, l2)


def peak_bytes(d: int, n_classes: int) -> int:
    """Bytes that computing one takes: the result, and three times as much in float64 to invert.

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
    shared = hessian.diagonal(dim1=1, dim2=3)  # [C, C, d]
    shared.add_(shared.diagonal().mean(1))
    return Whole(_inverse(flat / len(x), d, l2))


def _blocks(x: Tensor, weights: Tensor, l2: float) -> Blocks:
    p = (x @ weights.T).softmax(1)
    variances = (p - p.square()).T / len(x)
    return Blocks(torch.stack([_inverse((x.T * v) @ x, x.shape[1], l2) for v in variances]))


def _inverse(hessian: Tensor, n_features: int, l2: float) -> Tensor:
    """(H + l2 P)⁻¹, with enough added to the diagonal to stay positive definite in rounding."""
    penalties = l2 * _penalties(hessian, n_features).repeat(len(hessian) // n_features)
    rounding = _ROUNDING
    while rounding < 1:
        exact = hessian.to(torch.float64, copy=True)
        exact.diagonal().mul_(1 + rounding).add_(penalties)
        factor, failed = torch.linalg.cholesky_ex(exact)
        if not int(failed):
            return torch.cholesky_inverse(factor).to(hessian.dtype)
        rounding *= 10
    raise _too_large()


def _too_large() -> TrainingError:
    return TrainingError(
        "'linear' cannot square such large features: set [training] standardize = true, or rescale"
    )


def _penalties(like: Tensor, n_features: int) -> Tensor:
    """P, the share of l2 that applies to each feature, float64 [d]; almost 0 for the biases."""
    penalties = like.new_ones(n_features, dtype=torch.float64)
    penalties[-1] = _BIAS
    return penalties


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
    beta[0] = beta.mean()  # the direction that all classes share
    moments = moments.double() / total.clamp_min(torch.finfo(x.dtype).tiny)
    if not bool(moments.isfinite().all()):
        raise _too_large()
    penalties = _penalties(moments, d)
    rounding = _ROUNDING * (moments if moments.ndim == 1 else moments.diagonal()).max() * beta.max()
    if moments.ndim == 1:
        alpha, features, share = moments, None, penalties
    else:
        shape = penalties.rsqrt()
        alpha, vectors = torch.linalg.eigh(shape[:, None] * moments * shape)
        features, share = shape[:, None] * vectors, torch.ones_like(alpha)
    scale = beta.clamp_min(0)[:, None] * alpha.clamp_min(0)
    inverse = 1 / (scale + l2 * share + rounding)
    to = x.dtype
    return Product(classes.to(to), None if features is None else features.to(to), inverse.to(to))
