"""Features from an example's neighbours: whose labels agree, and how the trials do on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.sums import Sides

Floats = NDArray[np.float64]

_NEAR = 20  # neighbours whose margins are averaged
_AGREEMENT = (1, 5, 20, 50)  # nearest neighbours whose labels are compared


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The nearest other training examples of each.

    Attributes:
        index: int64 [n, k], the nearest first.
        is_there: bool [n, k], whether there are so many.
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
        """Features that no trial changes: label agreement and distances, float64 [n, 6]."""
        near = self.index.shape[1]
        shares = [_share(self.same[:, :k], self.is_there[:, :k]) for k in _AGREEMENT]
        far = self.distance[:, min(_NEAR, near) - 1]
        return np.stack([*shares, self.distance[:, 0], far], axis=1)

    def means(self, sides: Sides) -> Floats:
        """Neighbours' mean margins and rates, same label and all, [n, 6]; NaN without any."""
        held_in, held_out = sides.held_in, sides.held_out
        columns = []
        for values in (held_in.mean_margin, held_out.mean_margin, held_out.rate):
            at = self.index[:, :_NEAR]
            known = self.is_there[:, :_NEAR] & ~np.isnan(values[at])
            near = np.where(known, values[at], 0)
            columns += [_share(near, known & self.same[:, :_NEAR]), _share(near, known)]
        return np.stack(columns, axis=1)


def _share(values: NDArray[np.generic], counted: NDArray[np.bool_]) -> Floats:
    """The mean of the counted values in each row; NaN where nothing is counted."""
    many = counted.sum(axis=1)
    total = (values * counted).sum(axis=1)
    means: Floats = np.divide(total, many, np.full(len(many), np.nan), where=many > 0)
    return means
