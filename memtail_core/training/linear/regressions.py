"""Many multinomial logistic regressions on subsets of one feature matrix, solved together.

    minimise over w_k:   Σ_{i ∈ I_k} −log softmax(w_k x_i)[y_i] / |I_k|  +  (l2 / 2) ‖w_k‖²

with a 1 at the end of every x_i, whose weights (the biases) have no penalty. The features are
shared, so one product computes the logits of all models and one their gradients. Each model has its
own L-BFGS (Nocedal, 1980), which starts at the solution on all examples, is preconditioned with the
Hessian there, and has its own line search. A turn evaluates every model that has not converged
once, at a new step or a shorter one.
"""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from memtail_core.errors import TrainingError
from memtail_core.training.linear.hessian import Curvature, at, at_zero, peak_bytes

_PAIRS = 8  # of steps and changes of the gradient that L-BFGS remembers
_TURNS = 100  # with one preconditioner; 6 to 30 are usual
_HESSIANS = 20  # that a model may compute for itself where the shared one does not suffice
_START = 1e-3  # the tolerance of the common start: subsets differ from it by more
_LEFT = 0.01  # of the gradient at the start, which has seen all labels, may be left
_FLOAT32 = 1e-6  # the relative norm of the gradient that float32 can reach
# Logits and rows at once: on a CPU they stay in the cache between the two products.
_BLOCK = {"cpu": 2**19, "cuda": 2**26}
_ROWS = {"cpu": 512, "cuda": 8192}
_GROUP_BYTES = 2**28  # for the models solved at once
_ABSENT = -1e4  # the bias of a class that a subset lacks; its limit is −∞

# A step s and the gradient's change y, [K, C, d + 1], and 1 / sᵀy, [K].
_Pair = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class _Points:
    """The state of K models: weights and gradient [K, C, d + 1], loss float64 [K]."""

    weights: Tensor
    loss: Tensor
    gradient: Tensor

    @property
    def norm(self) -> Tensor:
        """The norm of each gradient, [K]."""
        norm: Tensor = torch.linalg.vector_norm(self.gradient.flatten(1), dim=1)
        return norm

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, loss and gradient."""
        return self.weights, self.loss, self.gradient

    def taken(self, models: Tensor | slice) -> "_Points":
        """The points of some of the models."""
        return _Points(*(part[models] for part in self.parts()))

    def put(self, models: Tensor | slice, points: "_Points") -> None:
        """Move some of the models."""
        for mine, theirs in zip(self.parts(), points.parts(), strict=True):
            mine[models] = theirs


class Regressions:
    """Logistic regressions that share their features.

    Args:
        x: features, float32 [n, d + 1], the last of which is 1.
        y: labels, int64 [n], 0 … C − 1.
        n_classes: C.
        l2: the penalty, > 0.
        tolerance: a model has converged when the norm of its gradient is at most this share of the
            norm at 0 on all examples, and a hundredth of its norm at the start.
    """

    def __init__(self, x: Tensor, y: Tensor, n_classes: int, l2: float, tolerance: float) -> None:
        self.x, self.y, self.n_classes = x, y, n_classes
        self.l2, self.tolerance = l2, tolerance
        everything = torch.ones(1, len(y), dtype=torch.bool, device=x.device)
        zero = x.new_zeros(1, n_classes, self.x.shape[1])
        inside = _weights(everything, self.x)
        # Of one example the gradient at 0 is about as long as its features. Those of identical
        # examples cancel, and what is left is rounding, which no step can make smaller.
        length = float(torch.linalg.vector_norm(self.x, dim=1).mean())
        self.scale = max(
            float(self._evaluated(self.x, zero, inside).gradient.norm()), _FLOAT32 * length
        )
        self._least = tolerance * _FLOAT32 * length
        self._start, self._curvature = zero, at_zero(self.x, n_classes, l2)
        self._start = self._converged(zero, everything, max(_START, tolerance))
        self._curvature = at(self.x, self._start[0], l2)

    def solved(self, subsets: Tensor) -> Tensor:
        """Return the weights [K, C, d + 1] of the models trained on ``subsets``, bool [K, n].

        Raises:
            TrainingError: one does not converge.
        """
        one = 4 * _numbers(len(self.y), self._start.numel())
        groups = subsets.split(max(1, _GROUP_BYTES // one))
        return torch.cat([self._converged(self._start, group, self.tolerance) for group in groups])

    def _converged(self, start: Tensor, subsets: Tensor, tolerance: float) -> Tensor:
        """Solve in float32; models that need more precision continue in float64."""
        present = torch.stack([subsets[:, self.y == c].any(1) for c in range(self.n_classes)], 1)
        weights = _placed(start.expand(len(subsets), -1, -1), present)
        inside = _weights(subsets, self.x)
        first = self._evaluated(self.x, weights, inside)
        limit = (_LEFT * first.norm).clamp_max(tolerance * self.scale).clamp_min(self._least)
        within_reach = limit.clamp_min(_FLOAT32 * self.scale)
        points = self._minimised(self.x, first, inside, present, within_reach, self._curvature)
        left = ~(points.norm <= limit)  # NaN has not converged either
        if bool(left.any()):
            points.weights[left] = self._refined(
                points.weights[left], inside[left], present[left], limit[left]
            ).float()
        return points.weights

    def _refined(self, weights: Tensor, inside: Tensor, present: Tensor, limit: Tensor) -> Tensor:
        """Continue in float64; models far from the common start get their own Hessians."""
        x, inside = self.x.double(), inside.double()
        curvature = self._curvature.to(x.dtype)
        points = self._evaluated(x, _placed(weights.double(), present), inside)
        points = self._minimised(x, points, inside, present, limit, curvature)
        for k in torch.nonzero(~(points.norm <= limit))[:, 0].tolist():
            one, mine = slice(k, k + 1), inside[k] > 0
            for _ in range(_HESSIANS):
                curvature = at(x[mine], points.weights[k], self.l2)
                now = points.taken(one)
                now = self._minimised(x, now, inside[one], present[one], limit[one], curvature)
                points.put(one, now)
                if float(points.norm[k]) <= float(limit[k]):
                    break
            else:
                raise TrainingError(
                    f"'linear' does not converge to {self.tolerance:g} of the gradient at 0: raise "
                    "[training] l2 or tolerance, or set standardize = true"
                )
        return points.weights

    def _minimised(
        self,
        x: Tensor,
        first: _Points,
        inside: Tensor,
        present: Tensor,
        limit: Tensor,
        curvature: Curvature,
    ) -> _Points:
        """Move K models from ``first`` until the gradient of each is below its ``limit``.

        A model stops earlier where rounding leaves no step, or after ``_TURNS`` turns.
        """
        shortest = torch.finfo(x.dtype).eps ** 0.5
        arrived = _Points(*(part.clone() for part in first.parts()))
        active = torch.arange(len(limit), device=x.device)
        now, step = first, torch.ones_like(first.norm)
        pairs: deque[_Pair] = deque(maxlen=_PAIRS)
        for _ in range(_TURNS):
            going = (now.norm > limit) & (step > shortest)
            if not bool(going.all()):
                arrived.put(active[~going], now.taken(~going))
                now, active, step = now.taken(going), active[going], step[going]
                limit, inside, present = limit[going], inside[going], present[going]
                pairs = deque(((s[going], y[going], r[going]) for s, y, r in pairs), _PAIRS)
            if not len(active):
                break
            direction = -_centred(_newton(now.gradient, pairs, curvature), present)
            slope = _dot(direction, now.gradient)
            move = direction * step[:, None, None]
            then = self._evaluated(x, now.weights + move, inside)
            slope_then = _dot(direction, then.gradient)
            # The approximate Wolfe condition (Hager & Zhang, 2005): near the minimum, slopes still
            # show differences that rounding hides in the loss.
            good = (slope_then <= -0.8 * slope) & (then.loss <= now.loss + 1e-6 * now.loss.abs())
            change = then.gradient - now.gradient
            curved = _dot(move, change)
            useful = good & (curved > 1e-12 * _dot(change, change).clamp_min(1e-30))
            use = useful[:, None, None]
            inverse = torch.where(useful, 1 / curved, 0.0)
            pairs.append((torch.where(use, move, 0.0), torch.where(use, change, 0.0), inverse))
            shorter = (slope / (slope - slope_then)).nan_to_num(0.1).clamp(0.1, 0.5)
            step = torch.where(good, 1.0, step * shorter)
            taken = good[:, None, None]
            now = _Points(
                torch.where(taken, then.weights, now.weights),
                torch.where(good, then.loss, now.loss),
                torch.where(taken, then.gradient, now.gradient),
            )
        arrived.put(active, now)
        return arrived

    def _evaluated(self, x: Tensor, weights: Tensor, inside: Tensor) -> _Points:
        """Losses and gradients at ``weights``, a block of logits [k, C, rows] at a time."""
        k, c, d = weights.shape
        penalty = weights.new_full((d,), self.l2)
        penalty[-1] = 0
        gradient = weights * penalty
        loss = (gradient * weights).sum((1, 2), dtype=torch.float64) / 2
        smallest = torch.finfo(x.dtype).tiny
        size = _ROWS[x.device.type]
        at_once = max(1, _BLOCK[x.device.type] // (size * c))
        for first in range(0, k, at_once):
            models = slice(first, first + at_once)
            w, g = weights[models].view(-1, d), gradient[models].view(-1, d)
            for rows, y, share in zip(
                x.split(size), self.y.split(size), inside[models].split(size, 1), strict=True
            ):
                p = (w @ rows.T).view(-1, c, len(rows)).softmax(1)
                own = y.expand(len(p), 1, -1)
                p_own = p.gather(1, own)
                loss[models] -= (p_own[:, 0].clamp_min(smallest).log() * share).sum(1)
                p.scatter_(1, own, p_own - 1).mul_(share[:, None])
                g.addmm_(p.view(-1, len(rows)), rows)
        return _Points(weights, loss, gradient)


def working_bytes(n: int, d: int, n_classes: int) -> int:
    """Peak bytes of solving: the features in both precisions, the Hessian, a group of models.

    Args:
        n, d, n_classes: examples, features with the 1, classes.
    """
    group = max(_GROUP_BYTES, 4 * _numbers(n, d * n_classes))
    return 12 * n * d + peak_bytes(d, n_classes) + 2 * group


def _numbers(n: int, weights: int) -> int:
    """How many numbers a model keeps: pairs, points, directions, its row of the subsets."""
    return (2 * _PAIRS + 8) * weights + n


def _weights(subsets: Tensor, x: Tensor) -> Tensor:
    """1 / |I_k| inside the subset, 0 outside: [K, n]."""
    inside = subsets.to(x.dtype)
    return inside / inside.sum(1, keepdim=True)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    dot: Tensor = torch.linalg.vecdot(one.flatten(1), other.flatten(1))
    return dot


def _newton(gradient: Tensor, pairs: deque[_Pair], curvature: Curvature) -> Tensor:
    """The two loops of L-BFGS around the preconditioner; a pair of zeros has no effect."""
    q, by = gradient.clone(), []
    for move, change, inverse in reversed(pairs):
        a = inverse * _dot(move, q)
        q -= a[:, None, None] * change
        by.append(a)
    q = curvature.solved(q)
    for (move, change, inverse), a in zip(pairs, reversed(by), strict=True):
        q += (a - inverse * _dot(change, q))[:, None, None] * move
    return q


def _centred(direction: Tensor, present: Tensor) -> Tensor:
    """Remove what all classes share, to which softmax is blind, and the absent classes."""
    mask = present.to(direction.dtype)[..., None]
    direction = direction * mask
    return direction - mask * (direction.sum(1, keepdim=True) / mask.sum(1, keepdim=True))


def _placed(weights: Tensor, present: Tensor) -> Tensor:
    """The same models, centred, so that centred directions lead to the minimum."""
    weights = _centred(weights, present)
    weights[..., -1] = torch.where(present, weights[..., -1], _ABSENT)
    return weights
