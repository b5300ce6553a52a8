"""Training examples of random subsets as canaries: guesses on coins that really are fair.

A subset of fixed size has no independent coins: who is in tells who is out. But take the examples
in pairs. Of a uniformly random subset, given which pairs have exactly one example in it, which of
the two it is are independent fair coins, whatever the share of examples in subsets. An auditor who
guesses these flips audits the privacy of replacing one example by another; with ε for adding or
removing one example, replacing costs at most 2 ε.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.attacks.attack import LEAST_VARIANCE, Bools, Floats
from memtail_core.estimation.epsilon import epsilon_bound

Indices = NDArray[np.int64]

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of the canaries: on how many an auditor may guess."""
_PRIOR_FREEDOM = 10.0  # of the variances that choose pairs


@dataclass(frozen=True)
class Guesses:
    """Guesses on canaries: how many of these there were, how many guesses, how many right."""

    canaries: int
    made: int
    correct: int

    @staticmethod
    def joined(parts: "Sequence[Guesses]") -> "Guesses":
        """Return the sums, of guesses on several models."""
        return Guesses(
            sum(each.canaries for each in parts),
            sum(each.made for each in parts),
            sum(each.correct for each in parts),
        )

    def bound(self, delta: float) -> float:
        """Return the lower bound on ε that they give with a confidence of 95%."""
        return epsilon_bound(self.canaries, self.made, self.correct, delta)


def exposure(apart: Floats, squares: Floats, freedom: Floats) -> Floats:
    """Return how far apart the margins of models in and out are, in deviations, float64 [n].

    Args:
        apart: float64 [n], mean of the margins of references in, less that of references out.
        squares: float64 [n], deviations from the two means, squared and summed.
        freedom: float64 [n], degrees of freedom of ``squares``.
    """
    pooled = squares.sum() / freedom.sum()
    variance = (squares + _PRIOR_FREEDOM * pooled) / (freedom + _PRIOR_FREEDOM)
    return np.asarray(apart / np.sqrt(np.maximum(variance, LEAST_VARIANCE)))


def pairs(exposure: Floats) -> Indices:
    """Return pairs of about equally exposed examples, int64 [⌊n/2⌋, 2], the most exposed first."""
    order = np.argsort(-exposure, kind="stable")
    return order[: len(order) // 2 * 2].reshape(-1, 2)


def guess_pairs(scores: Floats, is_member: Bools, paired: Indices, share: float) -> Guesses:
    """Guess which of two examples a model was trained on, where it was trained on one of them.

    The one with the higher score, in the ``share`` of pairs whose scores are furthest apart.

    Args:
        scores: float [n], of an attack on one model.
        is_member: bool [n], what it trained on: a uniformly random subset.
        paired: int64 [P, 2].
        share: of the canaries, on how many to guess.
    """
    one, other = paired.T
    is_canary = is_member[one] != is_member[other]
    apart = (scores[one] - scores[other])[is_canary]
    return _guess(apart, is_member[one][is_canary], share)


def guess_coins(scores: Floats, is_member: Bools, share: float) -> Guesses:
    """Guess what fair coins decided: in where the log of the likelihood ratio is above 0.

    Args:
        scores: float [m], log likelihood ratios.
        is_member: bool [m], each decided by an independent fair coin.
        share: of the canaries, on how many to guess: those with the clearest scores.
    """
    return _guess(scores, is_member, share)


def best_share(scores: Floats, is_member: Bools, paired: Indices, delta: float) -> float:
    """Return the share of ``SHARES`` that gives the highest bound, on models to choose it by.

    Args:
        scores, is_member: [K, n], of models whose bound nobody is told.
        paired: int64 [P, 2].
        delta: of the bound.
    """

    def bound(share: float) -> float:
        return Guesses.joined(
            [guess_pairs(*each, paired, share) for each in zip(scores, is_member, strict=True)]
        ).bound(delta)

    return max(SHARES, key=bound)


def _guess(apart: Floats, is_first: Bools, share: float) -> Guesses:
    m = len(apart)
    made = int(np.ceil(share * m))
    clearest = np.argsort(-np.abs(apart), kind="stable")[:made]
    correct = (apart[clearest] > 0) == is_first[clearest]
    return Guesses(m, made, int(correct.sum()))
