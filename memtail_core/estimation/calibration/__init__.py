"""Memorization from far fewer trials than counting takes: ``calibrated``."""

from memtail_core.estimation.calibration.estimator import Calibrated, calibrated
from memtail_core.estimation.calibration.kernel import left_out

__all__ = ["Calibrated", "calibrated", "left_out"]
