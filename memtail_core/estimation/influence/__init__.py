"""How much each training example matters to each test example, for as many pairs as there are.

With M the subsets and C the correctness, 0/1 matrices, all of it is one exact product of integers,
in_correct = Mᵀ C (Feldman & Zhang 2020, section 2). Trials stay packed as bits; an counter counts a
tile of pairs at a time, lists those that reach a threshold and forgets the rest.
"""

from memtail_core.estimation.influence.classes import by_class
from memtail_core.estimation.influence.counter import PairCounter
from memtail_core.estimation.influence.counters import counter_for
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.matrix import Influence, influence, write_matrix
from memtail_core.estimation.influence.memory import memory_needed, most_pairs
from memtail_core.estimation.influence.pair_statistics import PairStatistics, pair_statistics
from memtail_core.estimation.influence.pairs import Pairs, find, select
from memtail_core.estimation.influence.partners import StrongestPartners, strongest_partners
from memtail_core.estimation.influence.permutation import pairs_of_permuted
from memtail_core.estimation.influence.rule import PairsRule

__all__ = [
    "Evidence",
    "Family",
    "Influence",
    "PairCounter",
    "PairStatistics",
    "Pairs",
    "PairsRule",
    "StrongestPartners",
    "by_class",
    "counter_for",
    "find",
    "influence",
    "memory_needed",
    "most_pairs",
    "pair_statistics",
    "pairs_of_permuted",
    "select",
    "strongest_partners",
    "write_matrix",
]
