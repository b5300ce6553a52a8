"""Cheap estimates of memorization and influence, from one training or a few.

A run (:mod:`.run`, trained and stored by :mod:`.recording`) is one training with the outputs for
every example after each epoch (:mod:`.curves`), and the network itself after a few epochs. Methods
(:mod:`.method` is the protocol, :mod:`.methods` has one file each) read runs and score examples or
pairs. :mod:`.evaluation` compares them with the scores of a study.
"""

from memtail_core.approximations.approximated import Approximated, approximated
from memtail_core.approximations.evaluation import Cost, Evaluation, evaluated, reference
from memtail_core.approximations.method import AnyMethod, Block, InfluenceMethod, Method
from memtail_core.approximations.pair_evaluation import PairEvaluation, pairs_evaluated
from memtail_core.approximations.recording import missing, recorded
from memtail_core.approximations.registry import (
    ALL,
    INFLUENCE_METHODS,
    METHODS,
    Chosen,
    named,
    why_not,
)
from memtail_core.approximations.run import Run, Setting
from memtail_core.approximations.signals import signals_of
from memtail_core.approximations.study_evaluation import StudyEvaluation, evaluate

__all__ = [
    "ALL",
    "INFLUENCE_METHODS",
    "METHODS",
    "AnyMethod",
    "Approximated",
    "Block",
    "Chosen",
    "Cost",
    "Evaluation",
    "InfluenceMethod",
    "Method",
    "PairEvaluation",
    "Run",
    "Setting",
    "StudyEvaluation",
    "approximated",
    "evaluate",
    "evaluated",
    "missing",
    "named",
    "pairs_evaluated",
    "recorded",
    "reference",
    "signals_of",
    "why_not",
]
