"""Bits → memorization and influence with their errors. Pure functions over arrays, no I/O."""

from memtail_core.estimation.chance import pairs_by_chance
from memtail_core.estimation.fit import Fit, fit
from memtail_core.estimation.influence import Influence, Pairs, PairsRule, influence, pairs
from memtail_core.estimation.memorization import Memorization, memorization

__all__ = [
    "Fit",
    "Influence",
    "Memorization",
    "Pairs",
    "PairsRule",
    "fit",
    "influence",
    "memorization",
    "pairs",
    "pairs_by_chance",
]
