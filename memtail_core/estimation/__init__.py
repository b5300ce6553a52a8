"""Bits → memorization and influence with their errors. Pure functions over arrays, no I/O."""

from memtail_core.estimation.fit import Fit, fit
from memtail_core.estimation.influence import (
    THETA_INFL,
    THETA_MEM,
    Influence,
    Pairs,
    influence,
    pairs,
)
from memtail_core.estimation.memorization import Memorization, memorization

__all__ = [
    "THETA_INFL",
    "THETA_MEM",
    "Fit",
    "Influence",
    "Memorization",
    "Pairs",
    "fit",
    "influence",
    "memorization",
    "pairs",
]
