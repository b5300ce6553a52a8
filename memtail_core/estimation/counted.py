"""The paper's estimator: count how often trials with and without an example get it right."""

from dataclasses import dataclass

from memtail_core.estimation.estimator import Observations
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.estimation.memorization import Memorization


@dataclass(frozen=True)
class Counted:
    """Feldman & Zhang 2020, section 2; NaN for an example that was never in or never out."""

    name: str = "counted"
    needs_values: bool = False
    measure: Measure = CORRECTNESS

    def memorization(self, observations: Observations) -> Memorization:
        """Count."""
        return observations.counted


COUNTED = Counted()
