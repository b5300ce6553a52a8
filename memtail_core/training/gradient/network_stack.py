"""K networks that train together on resident data: their step, state and logits."""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn

from memtail_core.training.gradient.adamw import AdamW
from memtail_core.training.gradient.batches import Batch
from memtail_core.training.gradient.cuda_graph import CapturedStep
from memtail_core.training.gradient.losses import Losses
from memtail_core.training.gradient.options import GradientOptions
from memtail_core.training.gradient.resident_data import ResidentData
from memtail_core.training.gradient.sgd import SGD
from memtail_core.training.gradient.stacked_layers import stacked


class NetworkStack:
    """K networks and their optimizer; :meth:`restart` reuses the memory for the next K."""

    def __init__(self, recipe: GradientOptions, data: ResidentData, seeds: Sequence[int]) -> None:
        self._recipe, self._data = recipe, data
        self.k = len(seeds)
        self.network = self._untrained(seeds)
        kind = AdamW if recipe.optimizer == "adamw" else SGD
        self._optimizer = kind(self.network, recipe, data.dtype)
        self.losses = Losses(self.k, data.device)

    @property
    def n_logits(self) -> int:
        """How many logits the networks give for one example, together."""
        n_classes = len(self._data.dataset.classes)
        return self.k * prod(self._recipe.outputs(self._data.shape, n_classes))

    def _untrained(self, seeds: Sequence[int]) -> nn.Module:
        networks = []
        for seed in seeds:
            torch.manual_seed(seed)  # on the CPU: one initialisation on every device
            network = self._recipe.network(self._data.shape, len(self._data.dataset.classes))
            networks.append(network.to(self._data.device))
        return stacked(networks).to(memory_format=torch.channels_last).train()

    def restart(self, seeds: Sequence[int]) -> None:
        """Become the untrained networks of other ``seeds``, K as before, in the same memory."""
        fresh = self._untrained(seeds)
        self._optimizer.restart(list(fresh.parameters()))
        for mine, theirs in zip(self.network.buffers(), fresh.buffers(), strict=True):
            mine.copy_(theirs)
        self.losses.restart()
        self.network.train()

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self._data.device

    def kept(self) -> list[Tensor]:
        """The tensors from which training goes on, in an order that never changes."""
        return [*self._optimizer.kept(), *self.network.buffers(), *self.losses.kept()]

    @torch.no_grad()
    def restore(self, kept: Sequence[Tensor]) -> None:
        """Go on from what :meth:`kept` returned before, in the same memory: a step is recorded."""
        for mine, theirs in zip(self.kept(), kept, strict=True):
            mine.copy_(theirs)
        self._optimizer.settle()

    def recorded_step(self) -> Callable[[Batch, float], None]:
        """The fastest form of the step on this device: recorded, on a GPU."""
        device = self._data.device
        if device.type != "cuda":
            return self.step
        return CapturedStep(self.step, self.state(), device)

    def state(self) -> list[Tensor]:
        """All tensors that a step changes."""
        return [*self._optimizer.state(), *self.network.buffers(), self.losses.total]

    def step(self, batch: Batch, rate: float | Tensor) -> None:
        """One step for each network, on its own examples."""
        x, y = self._data.batch(batch)
        logits = self.network(x).float()
        objective = self._recipe.objective
        losses = objective.losses(logits, objective.targets(x, y), self._recipe.label_smoothing)
        self.losses.add(losses)
        # A sum over the stack too: no network's gradient depends on another's.
        loss = losses.sum() / y.shape[1]
        weights = self._optimizer.weights
        self._optimizer.step(torch.autograd.grad(loss, weights, materialize_grads=True), rate)

    def logits(self, rows: Tensor) -> Tensor:
        """The logits of each network for stored rows [N, …]: float32 [K, N, …]."""
        return self._logits(self._data.inputs(rows))

    def logits_and_targets(self, rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and what they should be, [N, …], of stored rows and labels [N]."""
        x = self._data.inputs(rows)
        return self._logits(x), self._recipe.objective.targets(x, labels)

    @torch.inference_mode()
    def _logits(self, x: Tensor) -> Tensor:
        self.network.eval()
        logits: Tensor = self.network(x.expand(self.k, *x.shape)).float()
        return logits
