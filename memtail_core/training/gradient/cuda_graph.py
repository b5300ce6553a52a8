"""A training step as a CUDA graph: recorded once, then replayed without Python in between."""

from collections.abc import Callable

import torch
from torch import Tensor

from memtail_core.training.gradient.batches import Batch

_WARM_UP_STEPS = 3  # as PyTorch's documentation asks: libraries choose and allocate


class CapturedStep:
    """Records ``step`` for each size of batches and images, and replays the recording later.

    A recording works on fixed memory: batches and rates are copied to where it reads them, and
    the state that it changes stays in place (:meth:`.NetworkStack.restart`).
    """

    def __init__(
        self, step: Callable[[Batch, Tensor], None], state: list[Tensor], device: torch.device
    ) -> None:
        """Record ``step`` on ``device``; ``state`` is every tensor it changes."""
        self._step, self._state = step, state
        self._rate = torch.zeros((), device=device)
        self._memory = torch.cuda.graph_pool_handle()  # shared: recordings run one at a time
        self._recorded: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Batch]] = {}

    def __call__(self, batch: Batch, rate: float) -> None:
        """Do one step."""
        size = batch.examples.shape[1], batch.side
        self._rate.fill_(rate)
        if size not in self._recorded:
            self._recorded[size] = self._record(batch)
        graph, held = self._recorded[size]
        for place, tensor in zip(held.tensors(), batch.tensors(), strict=True):
            place.copy_(tensor)
        graph.replay()

    def _record(self, batch: Batch) -> tuple[torch.cuda.CUDAGraph, Batch]:
        held = batch.changed(torch.clone)
        before = [tensor.clone() for tensor in self._state]
        random = torch.cuda.get_rng_state(self._rate.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_STEPS):
                self._step(held, self._rate)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory):
            self._step(held, self._rate)
        for tensor, value in zip(self._state, before, strict=True):  # as if no step had been taken
            tensor.copy_(value)
        torch.cuda.set_rng_state(random, self._rate.device)
        return graph, held
