"""How much each training example matters to each test example, for as many pairs as there are.

With M the subsets and C the correctness, 0/1 matrices, all of it is one exact product of integers,
in_correct = Mᵀ C (Feldman & Zhang 2020, section 2). Trials stay packed as bits; an engine counts a
tile of pairs at a time, lists those that reach a bar and forgets the rest.
"""

from memtail_core.estimation.influence.classes import by_class
from memtail_core.estimation.influence.engine import Engine
from memtail_core.estimation.influence.engines import engine_for
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.footprint import footprint, most_pairs
from memtail_core.estimation.influence.leading import Leading, leading
from memtail_core.estimation.influence.matrix import Influence, influence, write_matrix
from memtail_core.estimation.influence.pairs import Pairs, find, select
from memtail_core.estimation.influence.permutation import pairs_of_permuted
from memtail_core.estimation.influence.rule import PairsRule
from memtail_core.estimation.influence.survey import Survey, survey

__all__ = [
    "Engine",
    "Evidence",
    "Family",
    "Influence",
    "Leading",
    "Pairs",
    "PairsRule",
    "Survey",
    "by_class",
    "engine_for",
    "find",
    "footprint",
    "influence",
    "leading",
    "most_pairs",
    "pairs_of_permuted",
    "select",
    "survey",
    "write_matrix",
]
