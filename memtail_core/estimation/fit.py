"""Whether the models fit what they trained on; if not, memorization means nothing.

A model that never learns an odd example when it trains on it cannot be seen to memorize it. The
overall held-in accuracy hides that: a network can fit 99% and none of the mislabeled. So two
figures: held-in accuracy, and held-in accuracy on the hard examples alone, those that held-out
models mostly get wrong.
"""

from dataclasses import dataclass

import numpy as np

from memtail_core.estimation.memorization import Memorization

ENOUGH_HELD_IN = 0.9
ENOUGH_HARD = 0.7
_HARD = 0.5
_FEWEST_HARD = 5


@dataclass(frozen=True)
class Fit:
    """How well models fit their own subsets.

    Attributes:
        held_in: mean accuracy over (trial, example in its subset); None where nobody knows.
        held_in_hard: the same over the hard examples, or None with fewer than 5 of them.
        n_hard: how many examples held-out models get wrong more often than not.
    """

    held_in: float | None
    held_in_hard: float | None
    n_hard: int

    @property
    def warning(self) -> str | None:
        """One sentence if the fit is too poor for memorization to mean anything, else None."""
        if self.held_in is not None and self.held_in < ENOUGH_HELD_IN:
            return (
                f"held-in accuracy is only {self.held_in:.1%}: models that do not fit their "
                "training set cannot be seen to memorize; use a model that fits better: for a "
                "network more epochs, smaller batches or more width"
            )
        if self.held_in_hard is not None and self.held_in_hard < ENOUGH_HARD:
            return (
                f"of the {self.n_hard} hard examples (held-out models get them wrong) the models "
                f"fit only {self.held_in_hard:.0%} when they train on them: memorization is "
                "understated; use a model that fits better: for a network more epochs, smaller "
                "batches or more width"
            )
        return None


@dataclass(frozen=True)
class MeanFit(Fit):
    """The fit by outcomes of which nobody knows how large they should be, as of next tokens."""

    @property
    def warning(self) -> str | None:
        """None."""
        return None


def mean_fit(scores: Memorization) -> MeanFit:
    """Return the mean outcome over (trial, example in its subset)."""
    seen = scores.n_in > 0
    if not seen.any():
        return MeanFit(None, None, 0)
    held_in = float(np.average(scores.accuracy_in[seen], weights=scores.n_in[seen]))
    return MeanFit(held_in, None, 0)


def fit(scores: Memorization) -> Fit:
    """Judge the fit from the held-in and held-out accuracies."""
    seen = scores.n_in > 0
    if np.isnan(scores.accuracy_in[seen]).all():
        return Fit(None, None, 0)
    held_in = float(np.average(scores.accuracy_in[seen], weights=scores.n_in[seen]))
    with np.errstate(invalid="ignore"):
        hard = seen & (scores.accuracy_out < _HARD)
    n_hard = int(hard.sum())
    held_in_hard = None
    if n_hard >= _FEWEST_HARD:
        held_in_hard = float(np.average(scores.accuracy_in[hard], weights=scores.n_in[hard]))
    return Fit(held_in, held_in_hard, n_hard)
