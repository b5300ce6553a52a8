"""A study's influence from gradients and trials together."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from memtail_core.approximations.method import InfluenceMethod
from memtail_core.approximations.methods.linearised_retraining import LinearisedRetraining
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset
from memtail_core.estimation.combined import CombinedInfluence, Response, combined_influence
from memtail_core.running.matrices import CORRECTNESS, MARGIN, outcomes
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
    seen = outcomes(trials, CORRECTNESS if trials.test_values is None else outcome)
    return combined_influence(inside, seen, prior, progress=progress)


def response_of(trials: Trials) -> Response | None:
    """What influence on margins does to accuracy; None where trials have no margins, only bits."""
    if trials.test_values is None:
        return None
    share = np.unpackbits(trials.subset, axis=1, count=trials.n).mean()
    return Response.of(outcomes(trials, MARGIN), float(share))
