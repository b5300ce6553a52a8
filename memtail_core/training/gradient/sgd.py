"""SGD with momentum."""

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from memtail_core.training.gradient.optimizer import Optimizer
from memtail_core.training.gradient.options import GradientOptions


class SGD(Optimizer):
    """Stochastic gradient descent.

    With v the velocity, μ the momentum and λ the weight decay, a step at rate η is
    v ← μ v + (∇ + λ w), w ← w − η v (with Nesterov momentum, w ← w − η (∇ + λ w + μ v)).
    """

    def __init__(self, network: nn.Module, recipe: GradientOptions, dtype: torch.dtype) -> None:
        """See :class:`.Optimizer`."""
        super().__init__(network, recipe, dtype)
        self._velocities = [torch.zeros_like(master) for master in self._masters]

    @property
    def _moments(self) -> list[Tensor]:
        return self._velocities

    def _update(self, gradients: list[Tensor], rate: float | Tensor) -> None:
        sgd(
            self._masters,
            gradients,
            list(self._velocities),
            fused=self._is_fused,
            weight_decay=self._recipe.weight_decay,
            momentum=self._recipe.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=self._recipe.nesterov,
            maximize=False,
        )
