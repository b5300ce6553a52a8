"""Influence by a measure other than correctness: differences of means of real outcomes.

    infl_ij = mean over trials with i in of outcome_j − mean over trials with i out of outcome_j

What :mod:`memtail_core.estimation.influence` does with counts of bits, this does with bits ×
values: every pair in bounded memory, p-values, false discovery rates and intervals.
"""

from memtail_core.estimation.mean_influence.evidence import MeanEvidence
from memtail_core.estimation.mean_influence.pairs import MeanPairs, find, pairs_of_permuted

__all__ = ["MeanEvidence", "MeanPairs", "find", "pairs_of_permuted"]
