"""The training loss of each epoch, by which a network that diverged is told from one that fits."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LOST = 0.25  # of what a network had learned: more is lost only by diverging
_LEARNED = 0.98  # of chance: a loss above it is not from learning
_ENOUGH_STEPS = 300  # after which a network that has not begun to learn will not


class Losses:
    """The mean training loss of K networks: of the current epoch, the last, and the lowest.

    Everything stays on the device until :meth:`diverged` asks.
    """

    def __init__(self, k: int, device: torch.device) -> None:
        """Start with no epoch."""
        self.total, self._lowest, self._last = (torch.zeros(k, device=device) for _ in range(3))
        self.restart()

    def restart(self) -> None:
        """Forget all epochs."""
        self.total.zero_()
        self._lowest.fill_(torch.inf)
        self._last.fill_(torch.inf)

    def kept(self) -> list[Tensor]:
        """All that is known of the epochs."""
        return [self.total, self._lowest, self._last]

    def add(self, losses: Tensor) -> None:
        """Add a step's losses, [K, B]; part of the step that a GPU records."""
        self.total += losses.detach().sum(1)

    def end_epoch(self, examples: int) -> None:
        """End an epoch of this many examples."""
        self._last.copy_(self.total / examples)
        torch.fmin(self._lowest, self._last, out=self._lowest)
        self.total.zero_()

    def diverged(self, chance: Sequence[float], steps: int) -> NDArray[np.bool_]:
        """Say which networks ended without what they had learned, or never learned anything.

        A network has diverged if its loss ends a quarter of the way back from the lowest it had to
        chance, if it is not finite, or if ``steps``, being many, have left it at chance.

        Args:
            chance: the loss of predicting each subset's class frequencies, [K].
            steps: of SGD, in all.

        Returns:
            bool [K].
        """
        last, lowest = (each.double().cpu().numpy() for each in (self._last, self._lowest))
        by_chance = np.asarray(chance)
        lost = ~(last <= lowest + _LOST * (by_chance - lowest)) & (lowest < by_chance)
        never = (steps >= _ENOUGH_STEPS) & ~(lowest < _LEARNED * by_chance)
        found: NDArray[np.bool_] = lost | never | ~np.isfinite(last)
        return found
