"""Input curvature: how fast the gradient of the loss in the input changes around an example.

With H the Hessian of the loss in the input and v random signs, E ‖H v‖² = tr(H²) (Hutchinson 1990),
and H v ≈ (∇L(x + h v) − ∇L(x)) / h. Garg, Ravikumar & Roy, "Memorization through the lens of
curvature of loss function around samples" (2024), average it over the epochs. Here it is averaged
over the stored networks, and as its square root, the Frobenius norm ‖H‖, which has fewer outliers.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Networks, Part, Run
from memtail_core.data import Dataset
from memtail_core.store.archive import Arrays

_DIRECTIONS = 4
_STEP = 1e-3  # h, in units of the network's inputs: standard deviations, if standardized
_ROWS = 256
_SEED = 0


def curvature(
    loss: Callable[[Tensor], Tensor], x: Tensor, signs: Tensor, step: float = _STEP
) -> Tensor:
    """Estimate ‖H_i‖ of each example, float [B].

    Args:
        loss: losses [B] of inputs [B, …], each of one input only.
        x: inputs [B, …].
        signs: ± 1, [directions, B, …].
        step: h.
    """

    def gradient(at: Tensor) -> Tensor:
        at = at.detach().requires_grad_()
        (slope,) = torch.autograd.grad(loss(at).sum(), at)
        return slope

    here = gradient(x)
    changes = [(gradient(x + step * v) - here).flatten(1).square().sum(1) for v in signs]
    return torch.stack(changes).mean(0).sqrt() / step


def input_curvatures(networks: Networks) -> Arrays:
    """‖H‖ of every training example at each of the S stored networks: float32 [S, n]."""
    data = networks.setting.data
    random = torch.Generator().manual_seed(_SEED)
    curvatures = []
    for number in range(len(networks)):
        network, parts = networks.at(number).requires_grad_(False), []
        for rows, y in zip(data.x_train.split(_ROWS), data.y_train.split(_ROWS), strict=True):
            x = data.inputs(rows).float()
            shape = (_DIRECTIONS, *x.shape)
            signs = (torch.randint(2, shape, generator=random) * 2 - 1).to(x)
            parts.append(
                curvature(
                    lambda at, y=y, network=network: functional.cross_entropy(  # type: ignore[misc]
                        network(at).float(), y, reduction="none"
                    ),
                    x,
                    signs,
                )
            )
        curvatures.append(torch.cat(parts))
    return {"curvature": torch.stack(curvatures).cpu().numpy()}


CURVATURE = Part("curvature", input_curvatures)


class InputCurvature(PerRunMethod):
    """The curvature, mean over the stored networks and over runs."""

    name = "input-curvature"
    source = "Garg et al. 2024"
    reads: tuple[str, ...] = (CURVATURE.name,)

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return np.asarray(run.part(CURVATURE)["curvature"].astype(np.float64).mean(0))
