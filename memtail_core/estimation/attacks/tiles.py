"""What references make of some examples, without each target where the target is one of them.

T models, each the target once with all others as references, cost as much as one: what the others
say comes of sums less one summand,

    n' = n − 1,   S' = S − φ,   Q' = Q − φ²      of the group the target is in;   mean = S'/n',
    squares = Q' − S'²/n'
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.attacks.attack import Bools, Floats, Group, Population, Tile, logistic


@dataclass(frozen=True, eq=False)
class Models:
    """What T models say of n training examples, and of Z others.

    Attributes:
        margin: float16 or float64 [T, n].
        subset: uint8 [T, ⌈n/8⌉], packed bits, which each trained on; None where nobody knows.
        population: [T, Z], margins of examples that no model trained on; None if there are none.
    """

    margin: NDArray[np.floating]
    subset: NDArray[np.uint8] | None
    population: NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return len(self.margin)

    def taken(self, rows: NDArray[np.intp]) -> "Models":
        """Return the models of these rows."""
        return Models(
            self.margin[rows],
            None if self.subset is None else self.subset[rows],
            None if self.population is None else self.population[rows],
        )

    def members(self, columns: NDArray[np.int64]) -> Bools | None:
        """Which models trained on these examples, bool [T, c]."""
        if self.subset is None:
            return None
        bits = self.subset[:, columns // 8] >> (7 - columns % 8).astype(np.uint8) & 1
        return bits.astype(np.bool_)

    def counts(self) -> NDArray[np.int64]:
        """How many models trained on each example, int64 [n]."""
        assert self.subset is not None
        n = self.margin.shape[1]
        return np.asarray(
            sum(
                np.unpackbits(row, count=n).astype(np.int64)
                for row in self.subset  # one at a time: bits are eight times as many bytes
            )
        )


def tile(references: Models, targets: Models | None, columns: NDArray[np.int64]) -> Tile:
    """Look at some examples. ``targets`` None: each reference is the target of all others."""
    margin = references.margin[:, columns].astype(np.float64)
    origin = margin.mean(axis=0)
    members = references.members(columns)
    assert members is not None
    x, p = margin - origin, logistic(margin)
    if targets is None:
        inside, outside = (_without_each(x, p, group) for group in (members, ~members))
        return Tile(columns, margin, origin, inside, outside, members)
    of_targets = targets.margin[:, columns].astype(np.float64)
    inside, outside = (_whole(x, p, group) for group in (members, ~members))
    return Tile(columns, of_targets, origin, inside, outside, targets.members(columns))


def population(references: Models, targets: Models | None) -> Population | None:
    """Return what targets and references make of the examples that no model trained on."""
    if references.population is None or (targets is not None and targets.population is None):
        return None
    p = logistic(references.population.astype(np.float64))
    if not p.shape[1]:
        return None
    if targets is None:
        return Population(p, (p.sum(axis=0) - p) / (len(p) - 1))
    assert targets.population is not None
    of_targets = logistic(targets.population.astype(np.float64))
    return Population(of_targets, p.mean(axis=0, keepdims=True))


def _without_each(x: Floats, p: Floats, group: Bools) -> Group:
    own, own_p = np.where(group, x, 0), np.where(group, p, 0)
    n = group.sum(axis=0) - group.astype(np.float64)
    total = own.sum(axis=0) - own
    squares = (own**2).sum(axis=0) - own**2
    mean = total / n
    probability = (own_p.sum(axis=0) - own_p) / n
    return Group(n, mean, np.maximum(squares - total * mean, 0), probability)


def _whole(x: Floats, p: Floats, group: Bools) -> Group:
    own = np.where(group, x, 0)
    n = group.sum(axis=0, keepdims=True).astype(np.float64)
    mean = own.sum(axis=0, keepdims=True) / n
    squares = np.where(group, x - mean, 0) ** 2
    probability = np.where(group, p, 0).sum(axis=0, keepdims=True) / n
    return Group(n, mean, squares.sum(axis=0, keepdims=True), probability)
