"""The calibrated estimator: much closer to the truth than counting when there are few trials."""

from dataclasses import dataclass

from memtail_core.estimation.calibrated.memorization import (
    CalibratedMemorization,
    calibrated_memorization,
)
from memtail_core.estimation.estimator import Observations
from memtail_core.estimation.measures import CORRECTNESS, Measure


@dataclass(frozen=True)
class Calibrated:
    """See :func:`~memtail_core.estimation.calibrated.memorization.calibrated_memorization`."""

    name: str = "calibrated"
    needs_values: bool = True
    measure: Measure = CORRECTNESS

    def memorization(self, observations: Observations) -> CalibratedMemorization:
        """Estimate from the trials and from what is known without them."""
        inside, correct = observations.unpacked()
        context = observations.context
        return calibrated_memorization(
            inside,
            correct,
            observations.labels,
            margin=observations.values,
            neighbours=None if context is None else (context.neighbours, context.distances),
            extra_features=None if context is None else context.kernel_scores,
            signals=observations.signals,
        )


CALIBRATED = Calibrated()
