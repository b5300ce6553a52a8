"""SGD with momentum, in float32 even where the network computes in bfloat16."""

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from memtail_core.training.gradient.options import GradientOptions


class SGD:
    """The weights of a network (or a stack of them) in training.

    With v the velocity, μ the momentum and λ the weight decay, a step at rate η is
    v ← μ v + (∇ + λ w), w ← w − η v (with Nesterov momentum, w ← w − η (∇ + λ w + μ v)). Steps are
    taken on float32 copies, the masters: in bfloat16 a small step would be rounded away.
    """

    def __init__(self, network: nn.Module, recipe: GradientOptions, dtype: torch.dtype) -> None:
        """Take over ``network``, whose weights are float32, and make it compute in ``dtype``."""
        self._recipe = recipe
        self.weights = list(network.parameters())
        initial = [weight.detach().clone() for weight in self.weights]
        if dtype != torch.float32:
            compute_in(network, dtype)
        self._low = [i for i, w in enumerate(self.weights) if w.dtype != torch.float32]
        self._masters = [w.detach() for w in self.weights]  # the same memory where they are float32
        for i in self._low:
            self._masters[i] = initial[i]
        self._velocities = [torch.zeros_like(master) for master in self._masters]
        self._gradients: dict[int, Tensor] = {}  # copies, where dtype or layout differ

    @torch.no_grad()
    def restart(self, initial: list[nn.Parameter]) -> None:
        """Start again from other initial weights, float32."""
        for i, start in enumerate(initial):
            self._masters[i].copy_(start)
            self._velocities[i].zero_()
            self.weights[i].copy_(self._masters[i])

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...], rate: float | Tensor) -> None:
        """Take one step; ``gradients`` are in the order and dtype of the weights."""
        sgd(
            self._masters,
            [self._as_master(i, gradient) for i, gradient in enumerate(gradients)],
            list(self._velocities),
            fused=self._masters[0].device.type in ("cpu", "cuda"),
            weight_decay=self._recipe.weight_decay,
            momentum=self._recipe.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=self._recipe.nesterov,
            maximize=False,
        )
        for i in self._low:
            self.weights[i].copy_(self._masters[i])

    def _as_master(self, i: int, gradient: Tensor) -> Tensor:
        """The gradient in float32 and in the master's layout, as a fused step requires."""
        master = self._masters[i]
        if gradient.dtype == master.dtype and gradient.stride() == master.stride():
            return gradient
        if i not in self._gradients:
            self._gradients[i] = torch.empty_like(master)
        return self._gradients[i].copy_(gradient)

    def state(self) -> list[Tensor]:
        """All tensors that a step changes."""
        return [*(w.detach() for w in self.weights), *self._masters, *self._velocities]


def compute_in(network: nn.Module, dtype: torch.dtype) -> None:
    """Make ``network`` compute in ``dtype``, except batch normalisation and the logits (float32).

    Logits rounded to bfloat16 would tie exactly where a prediction is uncertain.
    """
    last = [m for m in network.modules() if getattr(m, "weight", None) is not None][-1]
    for module in network.modules():
        if module is last or isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        for parameter in module.parameters(recurse=False):
            parameter.data = parameter.data.to(dtype)
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(module, name, buffer.to(dtype))
    last.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
