from collections.abc import Callable

import pytest
import torch

from memtail_core.estimation.influence import PairCounter
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.estimation.influence.matrix_counter import MatrixCounter


class Floats(MatrixCounter):
    """Where torch has no product of int8."""

    def _multiplies_int8(self) -> bool:
        return False


ENGINES: dict[str, Callable[[], PairCounter]] = {
    "processor, one thread": lambda: BitCounter(1),
    "processor, two threads": lambda: BitCounter(2),
    "int8": lambda: MatrixCounter("cpu"),
    "float32": lambda: Floats("cpu"),
    "cuda": lambda: MatrixCounter("cuda"),
    "float32 on cuda": lambda: Floats("cuda"),
}


@pytest.fixture
def counter() -> PairCounter:
    """What counts where it does not matter what counts."""
    return BitCounter(1)


@pytest.fixture(params=ENGINES)
def every_counter(request: pytest.FixtureRequest) -> PairCounter:
    if "cuda" in request.param and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return ENGINES[request.param]()
