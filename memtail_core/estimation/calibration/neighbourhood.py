"""What an example's neighbours say of it: whose labels agree, and how the trials fare on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibration.tally import Sides

Floats = NDArray[np.float64]

_NEAR = 20  # of whom margins are averaged
_AGREEMENT = (1, 5, 20, 50)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The nearest training examples of each, itself left out.

    Attributes:
        index: int64 [n, k], the nearest first.
        distance: float64 [n, k].
        same: bool [n, k], whether the label is the same.
    """

    index: NDArray[np.int64]
    distance: Floats
    same: NDArray[np.bool_]

    @classmethod
    def of(
        cls, index: NDArray[np.integer], distance: NDArray[np.floating], labels: NDArray[np.integer]
    ) -> "Neighbourhood":
        """Compare the labels."""
        at = np.asarray(index, np.int64)
        return cls(at, np.asarray(distance, np.float64), labels[at] == labels[:, None])

    def constants(self) -> Floats:
        """What no trial changes: agreement of labels among the nearest, and distances, [n, 6]."""
        near = self.index.shape[1]
        shares = [self.same[:, : min(k, near)].mean(axis=1) for k in _AGREEMENT]
        far = self.distance[:, min(_NEAR, near) - 1]
        return np.stack([*shares, self.distance[:, 0], far], axis=1)

    def means(self, sides: Sides) -> Floats:
        """Neighbours' mean margins and rates, of the same label and of all, [n, 6]; NaN: none."""
        held_in, held_out = sides.held_in, sides.held_out
        found = []
        for values in (held_in.mean_margin, held_out.mean_margin, held_out.rate):
            at = self.index[:, :_NEAR]
            known = ~np.isnan(values[at])
            near = np.where(known, values[at], 0)
            for counts in (known & self.same[:, :_NEAR], known):
                many = counts.sum(axis=1)
                total = (near * counts).sum(axis=1)
                found.append(np.divide(total, many, np.full(len(at), np.nan), where=many > 0))
        return np.stack(found, axis=1)
