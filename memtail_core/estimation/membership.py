"""Was an example in the training set? Attacks on models, other models being their references.

Every model is the target once and all others its references, or the targets are other models. What
an attack does is in :mod:`memtail_core.estimation.attacks`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.attacks.attack import (
    LEAST_VARIANCE,
    Attack,
    Bools,
    Fit,
    Floats,
    Tile,
)
from memtail_core.estimation.attacks.likelihood_ratio import OWN, POOLED, log_density
from memtail_core.estimation.attacks.loss import LOSS
from memtail_core.estimation.attacks.tiles import Models, population, tile
from memtail_core.estimation.roc import auc_of_columns

Scores = NDArray[np.float32]

BASIC = (OWN, POOLED, LOSS)
FEWEST = 3  # models with and without an example: two references, and the target
_AT_ONCE = 2**20  # margins looked at at a time


@dataclass(frozen=True, eq=False)
class AttackedExamples:
    """Attacks on some examples.

    Attributes:
        tile: the examples, and what targets and references make of them.
        scores: by the name of each attack, float32 [K, c]: higher means a member.
    """

    tile: Tile
    scores: dict[str, Scores]

    @property
    def examples(self) -> NDArray[np.int64]:
        """int64 [c], which."""
        return self.tile.examples

    @property
    def is_member(self) -> Bools:
        """bool [K, c], which targets trained on each; it must be known."""
        assert self.tile.is_member is not None
        return self.tile.is_member


@dataclass(frozen=True, eq=False)
class Attacks:
    """Attacks that are ready to score.

    Attributes:
        references: T models.
        targets: K others; None: each of ``references``, with all others as references.
        examples: int64 [m], those that enough references trained on, and enough did not.
        fits: each attack, by name, having looked at all examples.
    """

    references: Models
    targets: Models | None
    examples: NDArray[np.int64]
    fits: dict[str, Fit]

    @classmethod
    def of(
        cls,
        references: Models,
        targets: Models | None = None,
        attacks: Sequence[Attack] = BASIC,
    ) -> "Attacks":
        """Show each attack all examples. Those without the population they need are left out."""
        fewest = FEWEST if targets is None else FEWEST - 1
        n_in = references.counts()
        enough = np.flatnonzero((n_in >= fewest) & (len(references) - n_in >= fewest))
        others = population(references, targets)
        fits = {
            each.name: each.begin(others)
            for each in attacks
            if others is not None or not each.needs_population
        }
        made = cls(references, targets, enough, fits)
        for part in made._tiles():
            for fit in fits.values():
                fit.add(part)
        return made

    def parts(self, progress: Callable[[int], None] | None = None) -> Iterator[AttackedExamples]:
        """Score all targets, some examples at a time; ``progress`` is called with how many."""
        for part in self._tiles():
            scores = {name: fit.scores(part).astype(np.float32) for name, fit in self.fits.items()}
            yield AttackedExamples(part, scores)
            if progress is not None:
                progress(len(part.examples))

    def _tiles(self) -> Iterator[Tile]:
        n_models = len(self.references) + (0 if self.targets is None else len(self.targets))
        step = max(1, _AT_ONCE // n_models)
        for start in range(0, len(self.examples), step):
            yield tile(self.references, self.targets, self.examples[start : start + step])


def membership_auc(
    x: Floats, is_member: Bools, is_odd: Bools, variance: Floats | None = None
) -> Floats:
    """Compute how well the attack tells an example's members from others, float64 [c]: its AUC.

    The probability that a trial that trained on it has the higher likelihood ratio, ties counting
    half (Mann & Whitney 1947). Shadow models are the half of the trials that the two are not in:
    ratios of which each leaves out its own target cannot be compared for one example, for a high
    margin is then compared with a mean that lacks it, and where there is no signal, the
    area would be 0.46 (Airola, Pahikkala, Waegeman, De Baets & Salakoski 2011).

    Args:
        x, is_member: [T, c], margins and membership.
        is_odd: bool [T], which half a trial is in.
        variance: float64 [2], in and out, pooled over examples; None: each example's own.

    Returns:
        NaN where a half has too few trials with the example, or without.
    """
    found = []
    for half in (is_odd, ~is_odd):
        ratio, inside = np.zeros((int(half.sum()), x.shape[1])), is_member[half]
        enough = inside.any(axis=0) & ~inside.all(axis=0)
        for side, sign, pooled in zip((True, False), (1, -1), (0, 1), strict=True):
            group = is_member[~half] == side
            n = group.sum(axis=0)
            enough &= n >= 2
            own = np.where(group, x[~half], 0)
            mean = own.sum(axis=0) / np.maximum(n, 1)
            squares = np.maximum((own**2).sum(axis=0) - n * mean**2, 0) / np.maximum(n - 1, 1)
            of = squares if variance is None else np.full(len(n), variance[pooled])
            ratio += sign * log_density(x[half], mean, np.maximum(of, LEAST_VARIANCE))
        found.append(np.where(enough, auc_of_columns(ratio, inside), np.nan))
    return np.asarray((found[0] + found[1]) / 2)
