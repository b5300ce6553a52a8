"""How two examples are compared to find near-duplicates: by descriptors, then exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples

if TYPE_CHECKING:  # torch takes a second to import, and most readers of data do not compare
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Comparable:
    """n examples ready to be compared.

    Attributes:
        descriptors: float32 [n, p]. Examples near each other in these are compared exactly.
        rows: float32 [n, …], what :meth:`Comparison.distances` compares.
    """

    descriptors: "Tensor"
    rows: "Tensor"


class Comparison(Protocol):
    """A measure of how much two examples differ.

    Attributes:
        same: examples nearer than this are near-duplicates, whatever else there is.
    """

    same: float = 1e-3  # equal except for rounding

    def prepared(
        self, train: Examples, test: Examples, device: str
    ) -> tuple[Comparable, Comparable]:
        """Make both sets comparable on ``device``; a scale is that of the training set."""

    def distances(self, one: "Tensor", others: "Tensor") -> "Tensor":
        """Compare rows [B, …] with k candidates each, [B, k, …]: float32 [B, k]."""


class Standardized(Comparison):
    """Root mean square difference of embeddings whose every value is standardized."""

    def __init__(self, embed: Callable[[NDArray[Any]], NDArray[np.float32]]) -> None:
        """``embed`` turns examples [n, …] into vectors [n, p, c]."""
        self._embed = embed

    def prepared(
        self, train: Examples, test: Examples, device: str
    ) -> tuple[Comparable, Comparable]:
        """See :class:`Comparison`."""
        import torch

        x_train, x_test = (self._vectors(each).to(device) for each in (train, test))
        mean, deviation = x_train.mean(0), x_train.std(0, correction=0)
        deviation = torch.where(deviation == 0, 1.0, deviation)
        x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation
        return Comparable(x_train, x_train), Comparable(x_test, x_test)

    def distances(self, one: "Tensor", others: "Tensor") -> "Tensor":
        """See :class:`Comparison`."""
        apart: Tensor = (one[:, None] - others).square().mean(2).sqrt()
        return apart

    def _vectors(self, examples: Examples) -> "Tensor":
        import torch

        parts = [torch.from_numpy(self._embed(x)).flatten(1) for x in examples.chunks()]
        return torch.cat(parts)
