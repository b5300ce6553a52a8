"""Influence by retraining a linearised network without each example, from projected gradients.

Let f = log p_y − log(1 − p_y) and φ_i = ∇_θ f(x_i), projected. Around its end, a training on the
subset S is a logistic regression on φ. Removing example i from it moves the output for z by one
step of Newton's method, without i (Koh & Liang 2017; exact leave-one-out as in Pregibon 1981):

    τ_iz = φ_zᵀ H⁻¹ φ_i α_i / (1 − v_i φ_iᵀ H⁻¹ φ_i)        H = Σ_{j ∈ S} v_j φ_j φ_jᵀ + λ I

with the denominator for i ∈ S only: H holds nothing of the others. TRAK (Park et al. 2023) has
α_i = 1 − p_i and neither the denominator nor the curvature v_j = p_j (1 − p_j). At the end of a
training that fits, both α and v are almost 0 where they matter, so both are means over the epochs
here. λ is the mean of v_j ‖φ_j‖² over S: one example's share. α_i is the doubt 1 − p_i to the power
1.5: the mean over the epochs understates how much longer the hardest examples keep pulling.

The power and λ were chosen on digits (docs/attribution.md); both are flat around these values.
"""

from collections.abc import Sequence
from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.approximations.example_gradients import Factors, reduced
from memtail_core.approximations.method import Block, Floats, Indices
from memtail_core.approximations.methods.confidence import doubt
from memtail_core.approximations.per_run import mean_over
from memtail_core.approximations.run import CURVES, Networks, Part, Run
from memtail_core.data import Dataset
from memtail_core.store.archive import Arrays

DIMENSIONS = 2048
_SEED = 0
_POWER = 1.5
_MOST_HELD = 0.99  # of v φᵀ H⁻¹ φ, the share of its own prediction that an example holds


def narrowed(layers: Sequence[Factors], dimensions: int, seed: int = _SEED) -> Tensor:
    """Project the gradients of B examples layer by layer: float [B, at most ``dimensions``].

    Each layer has its own share of the dimensions. Both sides of its gradient (A δ)(B a)ᵀ are
    projected on random orthogonal directions, scaled so that expected inner products stay the same;
    a side that is narrow enough is left as it is.
    """
    random = torch.Generator().manual_seed(seed)
    share, parts = dimensions // len(layers), []
    for a, delta in layers:
        inputs, outputs = a.shape[2], delta.shape[2]
        side = isqrt(share)
        right = min(inputs, max(side, share // min(outputs, side)))
        left = min(outputs, max(1, share // right))
        sides = (delta, left), (a, right)
        narrow, wide = (_projected(each, width, random) for each, width in sides)
        parts.append((narrow.transpose(1, 2) @ wide).flatten(1))
    return torch.cat(parts, 1)


def _projected(x: Tensor, width: int, random: torch.Generator) -> Tensor:
    full = x.shape[2]
    if width >= full:
        return x
    directions, _ = torch.linalg.qr(torch.randn(full, width, generator=random))
    projected: Tensor = x @ (directions * (full / width) ** 0.5).to(x)
    return projected


def gradients(networks: Networks) -> Arrays:
    """φ of all examples in the trained network, in one unknown unit: float16 [n, k], [n_test, k].

    No unit is needed: τ is the same whatever it is.
    """
    found = reduced(networks, lambda layers: narrowed(layers, DIMENSIONS))
    unit = float(found["train"].square().mean().sqrt()) or 1.0
    return {name: (phi / unit).clamp(-6e4, 6e4).half().numpy() for name, phi in found.items()}


GRADIENTS = Part(f"gradients-{DIMENSIONS}", gradients)


def removed(
    phi: NDArray[np.floating], subset: NDArray[np.bool_], curvature: Floats
) -> NDArray[np.float32]:
    """H⁻¹ φ_i / (1 − v_i φ_iᵀ H⁻¹ φ_i) of every training example, float32 [n, k].

    Args:
        phi: [n, k].
        subset: bool [n], S; the denominator is 1 outside.
        curvature: v, float64 [n].
    """
    phi = phi.astype(np.float64)
    weighted = phi[subset] * np.sqrt(curvature[subset])[:, None]
    moments = weighted.T @ weighted
    ridge = float(np.trace(moments)) / max(1, int(subset.sum()))
    moments[np.diag_indices(len(moments))] += ridge if ridge > 0 else 1.0
    solved = np.linalg.solve(moments, phi.T).T
    held = np.minimum(curvature * (solved * phi).sum(axis=1), _MOST_HELD)
    return (solved / np.where(subset, 1 - held, 1.0)[:, None]).astype(np.float32)


def _curvature_of(run: Run) -> Floats:
    p = run.curves.probability
    return np.asarray((p * (1 - p)).mean(0))


class LinearisedRetraining:
    """The step of Newton's method that removes an example, the mean over runs."""

    name = "linearised-retraining"
    source = "after Koh & Liang 2017 and TRAK"
    trains = True
    reads: tuple[str, ...] = (CURVES, GRADIENTS.name)
    ends_linear = False

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """See :class:`.InfluenceMethod`. Holds n × 2,048 numbers for each run."""
        del dataset
        weight, curvature = doubt(runs) ** _POWER, mean_over(runs, _curvature_of)
        sides = [(_removed(run, curvature), run.part(GRADIENTS)["test"]) for run in runs]

        def block(train: Indices, test: Indices) -> NDArray[np.float32]:
            total = np.zeros((len(train), len(test)), np.float32)
            for a, b in sides:
                total += a[train] @ b[test].T.astype(np.float32)
            scale = (weight[train, None] / len(sides)).astype(np.float32)
            return np.asarray(total * scale, dtype=np.float32)

        return block

    def itself(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.KnowsItself`."""
        del dataset
        curvature = mean_over(runs, _curvature_of)
        own = [(_removed(r, curvature) * r.part(GRADIENTS)["train"]).sum(axis=1) for r in runs]
        return np.asarray(np.mean(own, axis=0, dtype=np.float64) * doubt(runs) ** _POWER)


def _removed(run: Run, curvature: Floats) -> NDArray[np.float32]:
    return removed(run.part(GRADIENTS)["train"], run.subset, curvature)
