"""Bits → memorization and influence with their errors. Pure functions over arrays, no I/O."""

from memtail_core.estimation.fit import Fit, fit
from memtail_core.estimation.memorization import Memorization, memorization

__all__ = ["Fit", "Memorization", "fit", "memorization"]
