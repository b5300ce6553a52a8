"""A study's influence from gradients and trials together."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.method import InfluenceMethod
from memtail_core.approximations.methods.linearised_retraining import LinearisedRetraining
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset
from memtail_core.estimation.combined import CombinedInfluence, combined_influence
from memtail_core.running.trials import Trials

GRADIENTS: InfluenceMethod = LinearisedRetraining()
"""The prior of influence."""

Outcome = Literal["margin", "probability", "correctness"]


def combine(
    dataset: Dataset,
    trials: Trials,
    runs: Sequence[Run],
    outcome: Outcome = "margin",
    *,
    progress: Callable[[int], None] | None = None,
) -> CombinedInfluence:
    """Estimate influence from recorded networks, corrected by what trials show.

    Args:
        dataset: the data.
        trials: some of a study's.
        runs: networks of the same study; none: influence from the trials alone.
        outcome: of what influence is; always correctness where the trials have no margins.
        progress: called with training examples whose gradients were read.

    Raises:
        EstimationError: the trials are fewer than four.
    """
    inside = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(np.bool_)
    prior = GRADIENTS.between(dataset, runs) if runs else None
    return combined_influence(inside, outcomes(trials, outcome), prior, progress=progress)


def outcomes(trials: Trials, outcome: Outcome) -> NDArray[np.float32]:
    """Return what each trial says of each test example, float32 [t, n_test]."""
    values = trials.test_values
    if outcome == "correctness" or values is None:
        bits = np.unpackbits(trials.test_correct, axis=1, count=trials.n_test)
        return bits.astype(np.float32)
    margin = values.astype(np.float32)
    if outcome == "margin":
        return margin
    from scipy.special import expit

    return np.asarray(expit(margin))
