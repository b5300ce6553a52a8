"""Influence from a prior, such as gradients, corrected by what trials show (empirical Bayes)."""

from memtail_core.estimation.combined.discoveries import Discoveries, discoveries
from memtail_core.estimation.combined.estimate import FEWEST_TRIALS, combined_influence
from memtail_core.estimation.combined.posterior import CombinedInfluence
from memtail_core.estimation.combined.prior import Prior
from memtail_core.estimation.combined.response import Response

__all__ = [
    "FEWEST_TRIALS",
    "CombinedInfluence",
    "Discoveries",
    "Prior",
    "Response",
    "combined_influence",
    "discoveries",
]
