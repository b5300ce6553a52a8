"""Which measures a stored study has, and what estimates memorization by one of them."""

from memtail_core.estimation.averaged import by_measure, unknown
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator
from memtail_core.estimation.mean_influence import MeanEvidence
from memtail_core.estimation.measures import (
    ACCURACY,
    LOG_LIKELIHOOD,
    MARGIN,
    Measure,
    measure_named,
)
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def value_of(study: Study) -> str | None:
    """Return the name of the value that the study keeps beside the bits; None if it keeps none.

    It is that of the recipe's outcome, without importing what trains: classifiers keep margins,
    language models the accuracy of next tokens, or what ``[training] value`` says.
    """
    if not study.margins:
        return None
    if study.dataset.is_labelled:
        return MARGIN.value
    is_likelihood = study.training.get("value") == LOG_LIKELIHOOD.name
    return (LOG_LIKELIHOOD if is_likelihood else ACCURACY).value


def measure_of(study: Study, name: str | None = None) -> Measure:
    """Return a measure of the study by its name; None: its default.

    That is correctness, or of language models the accuracy or the likelihood of next tokens.

    Raises:
        EstimationError: the study has no such measure.
    """
    return measure_named(name, value_of(study))


def estimator_of(
    study: Study, measure: str | None = None, estimator: Estimator = COUNTED
) -> Estimator:
    """Return what estimates the study's memorization by a measure; None: by its default.

    Raises:
        EstimationError: the study has no such measure, or ``estimator`` knows bits alone.
    """
    return by_measure(measure_of(study, measure), estimator)


def mean_evidence(trials: Trials, measure: Measure) -> MeanEvidence:
    """Return what influence by a measure other than correctness is estimated from.

    Raises:
        EstimationError: the trials have no values.
    """
    if trials.test_values is None:
        raise unknown(measure)
    return MeanEvidence.of(
        trials.subset, trials.test_values, trials.n, measure, trials.train_values
    )


def with_values(
    store: ObjectStore, study: Study, trials: Trials, measure: Measure | None = None
) -> Trials:
    """Return trials with their values if a measure needs them, else the same.

    None: the study's default measure.
    """
    needs = (measure or measure_of(study)).value is not None
    if not needs or trials.test_values is not None:
        return trials
    loaded, _ = loading.load(store, study, values=True)
    return loaded
