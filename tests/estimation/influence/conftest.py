from collections.abc import Callable

import pytest
import torch

from memtail_core.estimation.influence import Engine
from memtail_core.estimation.influence.processor import Processor
from memtail_core.estimation.influence.tensors import Tensors


class Floats(Tensors):
    """Where torch has no product of int8."""

    def _multiplies_int8(self) -> bool:
        return False


ENGINES: dict[str, Callable[[], Engine]] = {
    "processor, one thread": lambda: Processor(1),
    "processor, two threads": lambda: Processor(2),
    "int8": lambda: Tensors("cpu"),
    "float32": lambda: Floats("cpu"),
    "cuda": lambda: Tensors("cuda"),
    "float32 on cuda": lambda: Floats("cuda"),
}


@pytest.fixture
def engine() -> Engine:
    """What counts where it does not matter what counts."""
    return Processor(1)


@pytest.fixture(params=ENGINES)
def every_engine(request: pytest.FixtureRequest) -> Engine:
    if "cuda" in request.param and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return ENGINES[request.param]()
