"""Memorization and influence from far fewer trials than counting takes."""

from memtail_core.estimation.calibrated.estimator import CALIBRATED
from memtail_core.estimation.calibrated.influence import CalibratedPairs, calibrated_influence
from memtail_core.estimation.calibrated.kernel_machine import leave_one_out_scores
from memtail_core.estimation.calibrated.memorization import (
    CalibratedMemorization,
    calibrated_memorization,
)

__all__ = [
    "CALIBRATED",
    "CalibratedMemorization",
    "CalibratedPairs",
    "calibrated_influence",
    "calibrated_memorization",
    "leave_one_out_scores",
]
