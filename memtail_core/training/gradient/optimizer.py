"""The weights in training, in float32 even where the network computes in bfloat16."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from memtail_core.training.gradient.options import GradientOptions


class Optimizer(ABC):
    """The weights of a network (or a stack of them) in training.

    Steps are taken on float32 copies, the masters: in bfloat16 a small step would be rounded away.
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
        self._gradients: dict[int, Tensor] = {}  # copies, where dtype or layout differ

    @property
    @abstractmethod
    def _moments(self) -> list[Tensor]:
        """What a step keeps of the gradients, all zero at the start."""

    @abstractmethod
    def _update(self, gradients: list[Tensor], rate: float | Tensor) -> None:
        """Take one step of the masters."""

    @torch.no_grad()
    def restart(self, initial: list[nn.Parameter]) -> None:
        """Start again from other initial weights, float32."""
        for i, start in enumerate(initial):
            self._masters[i].copy_(start)
            self.weights[i].copy_(self._masters[i])
        for moment in self._moments:
            moment.zero_()

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...], rate: float | Tensor) -> None:
        """Take one step; ``gradients`` are in the order and dtype of the weights."""
        self._update([self._as_master(i, gradient) for i, gradient in enumerate(gradients)], rate)
        self.settle()

    def _as_master(self, i: int, gradient: Tensor) -> Tensor:
        """The gradient in float32 and in the master's layout, as a fused step requires."""
        master = self._masters[i]
        if gradient.dtype == master.dtype and gradient.stride() == master.stride():
            return gradient
        if i not in self._gradients:
            self._gradients[i] = torch.empty_like(master)
        return self._gradients[i].copy_(gradient)

    @property
    def _is_fused(self) -> bool:
        return self._masters[0].device.type in ("cpu", "cuda")

    def kept(self) -> list[Tensor]:
        """The tensors from which training goes on; the weights follow from the masters."""
        return [*self._masters, *self._moments]

    @torch.no_grad()
    def settle(self) -> None:
        """Let the weights follow from masters that were changed."""
        for i in self._low:
            self.weights[i].copy_(self._masters[i])

    def state(self) -> list[Tensor]:
        """All tensors that a step changes."""
        return [*(w.detach() for w in self.weights), *self._masters, *self._moments]


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
