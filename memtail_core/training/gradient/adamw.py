"""AdamW: steps of each weight scaled by the size of its gradients."""

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from memtail_core.training.gradient.optimizer import Optimizer
from memtail_core.training.gradient.options import GradientOptions

_SECOND, _EPSILON = 0.999, 1e-8


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019).

    With β₁ the momentum of the recipe, β₂ = 0.999, ε = 10⁻⁸ and λ the weight decay, step t at rate
    η is m ← β₁ m + (1 − β₁) ∇, s ← β₂ s + (1 − β₂) ∇², w ← (1 − η λ) w − η m̂ / (√ŝ + ε), where
    m̂ = m / (1 − β₁ᵗ) and ŝ = s / (1 − β₂ᵗ).
    """

    def __init__(self, network: nn.Module, recipe: GradientOptions, dtype: torch.dtype) -> None:
        """See :class:`.Optimizer`."""
        super().__init__(network, recipe, dtype)
        self._means = [torch.zeros_like(master) for master in self._masters]
        self._squares = [torch.zeros_like(master) for master in self._masters]
        self._steps = [torch.zeros((), device=master.device) for master in self._masters]

    @property
    def _moments(self) -> list[Tensor]:
        return [*self._means, *self._squares, *self._steps]

    def _update(self, gradients: list[Tensor], rate: float | Tensor) -> None:
        adamw(
            self._masters,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            fused=self._is_fused,
            amsgrad=False,
            beta1=self._recipe.momentum,
            beta2=_SECOND,
            lr=rate,
            weight_decay=self._recipe.weight_decay,
            eps=_EPSILON,
            maximize=False,
        )
