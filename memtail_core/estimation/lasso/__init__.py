"""Many lasso regressions on one matrix of bits: which examples each trial trained on."""

from memtail_core.estimation.lasso.inclusion import Inclusion
from memtail_core.estimation.lasso.problems import Problems

__all__ = ["Inclusion", "Problems"]
