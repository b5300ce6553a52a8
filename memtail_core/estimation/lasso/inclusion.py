"""The regressors: bits that say which examples each trial trained on, for all problems the same."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.bits import Bits

if TYPE_CHECKING:
    from torch import Tensor

_AT_ONCE = 4096  # examples that a product turns into real numbers at a time


@dataclass(frozen=True, eq=False)
class Inclusion:
    """Which of n examples each of T trials trained on.

    Attributes:
        members: the bits in words, one row for each example: what the loops count.
        inside: uint8 [n, T], 1 where the trial trained on the example: what products are made of.
        device: where products are made, ``cpu`` or ``cuda``.
    """

    members: Bits
    inside: NDArray[np.uint8]
    device: str = "cpu"

    @classmethod
    def of(cls, subset: NDArray[np.uint8], n: int, device: str = "cpu") -> "Inclusion":
        """Read packed bits, uint8 [T, ⌈n/8⌉] (numpy.packbits)."""
        inside = np.ascontiguousarray(np.unpackbits(subset, axis=1, count=n).T)
        return cls(Bits.of(subset, n), inside, device)

    @property
    def trials(self) -> int:
        """T."""
        return self.members.trials

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """The share of the trials that trained on each example, float64 [n]."""
        return self.members.sums / self.trials

    @cached_property
    def _on_device(self) -> "Tensor":
        import torch  # slow to import

        return torch.from_numpy(self.inside).to(self.device)

    def sums(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return for each row [q, T] and each example the sum over its trials, [q, n]."""
        import torch

        left = torch.from_numpy(np.ascontiguousarray(rows)).to(self.device)
        made = np.empty((len(rows), len(self.inside)), rows.dtype)
        for start in range(0, len(self.inside), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            made[:, part] = (left @ self._on_device[part].to(left.dtype).T).cpu().numpy()
        return made

    def predictions(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return Σ_i w_i x_ti for each row of weights [q, n] and each trial, float64 [q, T]."""
        import torch

        made = torch.zeros((len(weights), self.trials), dtype=torch.float64, device=self.device)
        for start in range(0, len(self.inside), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            left = torch.from_numpy(np.ascontiguousarray(weights[:, part])).to(self.device)
            made += left @ self._on_device[part].to(torch.float64)
        return np.asarray(made.cpu().numpy())
