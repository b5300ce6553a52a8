"""Two disjoint halves of a study's trials, so that what one chose, the other can judge."""

import numpy as np

from memtail_core import plans
from memtail_core.errors import EstimationError
from memtail_core.study import Study
from memtail_core.trials import Trials

_FEWEST = 20  # trials of each half; an example is held out by six of them


def two_halves(study: Study, trials: Trials) -> tuple[Trials, Trials]:
    """Return the trials of the even and of the odd blocks.

    The trials of a block were drawn together and depend on each other; those of different blocks
    do not.

    Raises:
        EstimationError: one of the halves has fewer than 20 trials.
    """
    is_odd = trials.trials // plans.block(study) % 2 == 1
    halves = trials.taken(np.flatnonzero(~is_odd)), trials.taken(np.flatnonzero(is_odd))
    if min(map(len, halves)) < _FEWEST:
        raise EstimationError(
            f"{study.id} has {len(trials)} models, too few to split into halves of at least "
            f"{_FEWEST}: train more (memtail run {study.id} --trials {2 * _FEWEST})"
        )
    return halves
