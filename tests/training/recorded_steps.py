"""Steps that are recorded and replayed on a CPU: CUDA's graphs are stood for, all else is real."""

from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch

from memtail_core.training.gradient.cuda_graph import CapturedStep
from memtail_core.training.gradient.network_stack import NetworkStack


def record_steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """From now on, steps are recorded; return the list of what was."""
    current: list[Any] = []

    class Graph:
        def replay(self) -> None:
            step, arguments = self.recorded  # type: ignore[attr-defined]
            step(*arguments)

    @contextmanager
    def graph(each: Graph, pool: object) -> Any:
        current.append(each)
        yield
        current.pop()

    class Stream:
        def wait_stream(self, _: Any) -> None: ...

    recorded: list[Any] = []
    original = NetworkStack.step

    def step(self: NetworkStack, *arguments: Any) -> None:
        if current:
            current[-1].recorded = (partial_step(self), arguments)
            recorded.append(arguments)
        original(self, *arguments)

    def partial_step(networks: NetworkStack) -> Callable[..., None]:
        return lambda *arguments: original(networks, *arguments)

    cuda = {"CUDAGraph": Graph, "graph": graph, "Stream": Stream, "current_stream": Stream}
    cuda |= {"stream": lambda _: nullcontext(), "graph_pool_handle": object}
    cuda |= {"get_rng_state": lambda _: torch.get_rng_state()}
    cuda |= {"set_rng_state": lambda state, _: torch.set_rng_state(state)}
    for name, fake in cuda.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(NetworkStack, "step", step)
    monkeypatch.setattr(
        NetworkStack,
        "recorded_step",
        lambda self: CapturedStep(self.step, self.state(), torch.device("cpu")),
    )
    return recorded
