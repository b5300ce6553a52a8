"""Memorization by a measure: the mean outcome of trials with an example, less that of the others.

    mem_i = mean over trials with i in of outcome_i − mean over trials with i out of outcome_i

For bits this is counting. For a language model, whose outcome is the accuracy of its next tokens,
it is counterfactual memorization (Zhang, Ippolito, Lee, Jagielski, Tramèr & Carlini,
"Counterfactual memorization in neural language models", NeurIPS 2023).
"""

from dataclasses import dataclass

import numpy as np

from memtail_core.errors import EstimationError
from memtail_core.estimation.estimator import UNKNOWN, Estimator, Observations
from memtail_core.estimation.mean_intervals import welch
from memtail_core.estimation.mean_sums import sides
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.estimation.memorization import Memorization


@dataclass(frozen=True)
class Averaged:
    """See the module; missing where fewer than two trials had an example, or had it not."""

    measure: Measure
    name: str = "averaged"
    needs_values: bool = True

    def memorization(self, observations: Observations) -> Memorization:
        """Average.

        Raises:
            EstimationError: the trials have no values.
        """
        if observations.correct is None:
            raise EstimationError(UNKNOWN)
        if observations.values is None:
            raise unknown(self.measure)
        held_in, held_out = sides(observations.subset, observations.values, self.measure)
        estimate, error, low, high = welch(held_in, held_out, self.measure)
        return Memorization(
            memorization=estimate,
            standard_error=error,
            ci_low=low,
            ci_high=high,
            n_in=held_in.n,
            n_out=held_out.n,
            accuracy_in=np.asarray(held_in.mean),
            accuracy_out=np.asarray(held_out.mean),
        )


def unknown(measure: Measure) -> EstimationError:
    """Return the error for trials that have no values."""
    return EstimationError(f"--measure {measure.name}: the models have no values beside their bits")


def by_measure(measure: Measure, otherwise: Estimator) -> Estimator:
    """Return what estimates memorization by a measure; ``otherwise`` for bits.

    Raises:
        EstimationError: ``otherwise`` knows bits alone, and would be replaced.
    """
    if measure is CORRECTNESS:
        return otherwise
    if otherwise.name != "counted":
        raise EstimationError(
            f"--estimator {otherwise.name} estimates correctness: leave out --measure "
            f"{measure.name}"
        )
    return Averaged(measure)
