"""What an example's neighbours say of it: whose labels agree, and how the trials fare on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.sums import Sides

Floats = NDArray[np.float64]

_NEAR = 20  # of whom margins are averaged
_AGREEMENT = (1, 5, 20, 50)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The nearest training examples of each, itself left out.

    Attributes:
        index: int64 [n, k], the nearest first; is_there: bool [n, k], where there are so many.
        distance: float64 [n, k]; NaN where there is none.
        same: bool [n, k], whether the label is the same.
    """

    index: NDArray[np.int64]
    is_there: NDArray[np.bool_]
    distance: Floats
    same: NDArray[np.bool_]

    @classmethod
    def of(
        cls, index: NDArray[np.integer], distance: NDArray[np.floating], labels: NDArray[np.integer]
    ) -> "Neighbourhood":
        """Compare the labels; an index of −1 is no neighbour."""
        is_there = np.asarray(index) >= 0
        at = np.where(is_there, index, 0).astype(np.int64)
        same = is_there & (labels[at] == labels[:, None])
        apart = np.where(is_there, distance, np.nan).astype(np.float64)
        return cls(at, is_there, apart, same)

    def constants(self) -> Floats:
        """What no trial changes: agreement of labels among the nearest, and distances, [n, 6]."""
        near = self.index.shape[1]
        shares = [_share(self.same[:, :k], self.is_there[:, :k]) for k in _AGREEMENT]
        far = self.distance[:, min(_NEAR, near) - 1]
        return np.stack([*shares, self.distance[:, 0], far], axis=1)

    def means(self, sides: Sides) -> Floats:
        """Neighbours' mean margins and rates, of the same label and of all, [n, 6]; NaN: none."""
        held_in, held_out = sides.held_in, sides.held_out
        found = []
        for values in (held_in.mean_margin, held_out.mean_margin, held_out.rate):
            at = self.index[:, :_NEAR]
            known = self.is_there[:, :_NEAR] & ~np.isnan(values[at])
            near = np.where(known, values[at], 0)
            found += [_share(near, known & self.same[:, :_NEAR]), _share(near, known)]
        return np.stack(found, axis=1)


def _share(values: NDArray[np.generic], counted: NDArray[np.bool_]) -> Floats:
    """The mean of what is counted in each row; NaN where nothing is."""
    many = counted.sum(axis=1)
    total = (values * counted).sum(axis=1)
    found: Floats = np.divide(total, many, np.full(len(many), np.nan), where=many > 0)
    return found
