"""Influence after TRAK: the effect of one example in a linearised network, by random projection.

Let f = log p_y − log(1 − p_y) and φ_i = Pᵀ ∇_θ f(x_i), the gradient projected to k numbers. A
training is close to a logistic regression on the φ of its examples, Φ; example i changes its output
for a test example j by

    τ_ij = φ_jᵀ (ΦᵀΦ + λ I)⁻¹ φ_i (1 − p_i)

Park et al., "TRAK: attributing model behavior at scale" (2023), averaging the two factors over
trainings. Two things differ here. 1 − p_i is its mean over the epochs: at the end of a training
that fits, it is almost 0 exactly where memorization is highest. And P is a Kronecker product for
each layer, (A δ)(B a)ᵀ, so that no gradient is written out (Choe et al., "What is your data worth
to GPT?", 2024), and the layers are summed.
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
from memtail_core.approximations.run import CURVES, Networks, Part, Run
from memtail_core.data import Dataset
from memtail_core.store.archive import Arrays

DIMENSIONS = 1024
_SEED = 0
_RIDGE = 0.1  # λ, of the mean eigenvalue of ΦᵀΦ


def projected(layers: Sequence[Factors], dimensions: int, seed: int = _SEED) -> Tensor:
    """Project the gradients of B examples: float [B, dimensions], a square number.

    The expected inner products stay the same: entries of A and B are normal, variance 1 / √k.
    """
    side = isqrt(dimensions)
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros(())
    for a, delta in layers:
        left = torch.randn(delta.shape[2], side, generator=random).to(delta) / side**0.5
        right = torch.randn(a.shape[2], side, generator=random).to(a) / side**0.5
        both = (delta @ left).transpose(1, 2) @ (a @ right)
        total = total.to(both) + both.flatten(1)
    return total


def projections(networks: Networks) -> Arrays:
    """φ of all examples in the trained network: float32 [n, k] and [n_test, k]."""
    found = reduced(networks, lambda layers: projected(layers, DIMENSIONS))
    return {name: phi.numpy() for name, phi in found.items()}


PROJECTIONS = Part(f"projections-{DIMENSIONS}", projections)


def preconditioned(
    train: NDArray[np.float32], subset: NDArray[np.bool_], ridge: float = _RIDGE
) -> NDArray[np.float32]:
    """(ΦᵀΦ + λ I)⁻¹ φ_i of every training example, float32 [n, k]; Φ has the rows of the subset."""
    inside = train[subset].astype(np.float64)
    moments = inside.T @ inside
    moments[np.diag_indices(len(moments))] += ridge * np.trace(moments) / len(moments)
    return np.linalg.solve(moments, train.T.astype(np.float64)).T.astype(np.float32)


class ProjectedGradients:
    """TRAK's score, with 1 − p_i averaged over the epochs."""

    name = "projected-gradients"
    source = "after TRAK, Park et al. 2023"
    trains = True
    reads: tuple[str, ...] = (CURVES, PROJECTIONS.name)
    ends_linear = False

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """See :class:`.InfluenceMethod`."""
        del dataset
        weight = doubt(runs)
        sides = [(_preconditioned(run), run.part(PROJECTIONS)["test"]) for run in runs]

        def block(train: Indices, test: Indices) -> NDArray[np.float32]:
            effect = np.mean([a[train] @ b[test].T for a, b in sides], axis=0)
            return np.asarray(effect * weight[train, None], dtype=np.float32)

        return block

    def itself(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.KnowsItself`: φ_iᵀ (ΦᵀΦ + λ I)⁻¹ φ_i (1 − p_i)."""
        del dataset
        lengths = [(_preconditioned(r) * r.part(PROJECTIONS)["train"]).sum(axis=1) for r in runs]
        return np.asarray(np.mean(lengths, axis=0, dtype=np.float64) * doubt(runs))


def _preconditioned(run: Run) -> NDArray[np.float32]:
    return preconditioned(run.part(PROJECTIONS)["train"], run.subset)
