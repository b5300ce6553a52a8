"""Memorization and influence from far fewer trials than counting takes."""

from memtail_core.estimation.calibration.estimator import Calibrated, calibrated
from memtail_core.estimation.calibration.kernel import left_out
from memtail_core.estimation.calibration.pairs import CalibratedPairs, calibrated_influence

__all__ = ["Calibrated", "CalibratedPairs", "calibrated", "calibrated_influence", "left_out"]
