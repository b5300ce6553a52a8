"""The estimators of memorization that there are. A new one is one file and one line here."""

from memtail_core.errors import EstimationError
from memtail_core.estimation.calibrated.estimator import CALIBRATED
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator

ESTIMATORS: dict[str, Estimator] = {each.name: each for each in (COUNTED, CALIBRATED)}


def estimator_named(name: str) -> Estimator:
    """Return an estimator by its name.

    Raises:
        EstimationError: there is none of that name.
    """
    if name not in ESTIMATORS:
        raise EstimationError(f"there is no estimator '{name}': choose {' or '.join(ESTIMATORS)}")
    return ESTIMATORS[name]
