"""Which pairs count as high-influence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.thresholds import THETA_INFL, THETA_MEM


@dataclass(frozen=True)
class PairsRule:
    """Which pairs count as high-influence; the paper's values.

    Attributes:
        theta_mem: least memorization of the training example; a missing one selects nothing.
        theta_infl: least influence.
        same_class: whether both examples must have one label.
        fdr: largest expected share of false ones among the pairs that are significant; None: the
            thresholds alone decide.
    """

    theta_mem: float = THETA_MEM
    theta_infl: float = THETA_INFL
    same_class: bool = True
    fdr: float | None = None

    def is_memorized(self, memorization: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each value reaches theta_mem."""
        return reaches(memorization, self.theta_mem)

    def family(
        self,
        memorization: NDArray[np.float64],
        y_train: NDArray[np.int64],
        y_test: NDArray[np.int64],
    ) -> Family:
        """Return the pairs the rule looks at: memorized training examples, one class if so."""
        labels = (y_train, y_test) if self.same_class else None
        memorized = np.flatnonzero(self.is_memorized(memorization))
        above = memorization - self.theta_mem
        return Family.of(memorized, np.arange(len(y_test)), labels, above)
