"""Value every training example by the trials with it and those without it."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation.data_values import DataValues, data_values
from memtail_core.experiments.per_example import listed
from memtail_core.experiments.values.result import (
    ACCURACY,
    MARGIN,
    PROBABILITY,
    Measure,
    OfClass,
    Values,
)
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study

FEWEST = 10  # trials
_DIGITS = 8  # of values: most are a few millionths to thousandths


def values(
    study: Study, trials: Trials, dataset: Dataset, *, by: str = ACCURACY, fdr: float = 0.05
) -> Values:
    """Value the training examples, by each outcome that there is.

    Args:
        study, trials, dataset: the study, its trials, with margins where it has them, its data.
        by: the outcome that tells which examples are harmful and helpful.
        fdr: the false discovery rate of either.

    Raises:
        EstimationError: there are too few trials, or they have no such outcome or no test outcomes.
    """
    trials.check_tested()
    if len(trials) < FEWEST:
        raise EstimationError(
            f"{len(trials)} models of {study.id} are trained, at least {FEWEST} are needed: train "
            f"more (memtail run {study.id})"
        )
    outcomes = mean_outcomes(trials)
    if by not in outcomes:
        raise EstimationError(f"{study.id} keeps no margins: value by --outcome {ACCURACY}")
    block = designs.block(study)
    group = None if block == 1 else trials.trials // block
    found = {
        name: data_values(trials.subset, trials.n, outcomes[name], group)
        for name in sorted(outcomes, key=lambda name: name != by)
    }
    first = found[by]
    with np.errstate(invalid="ignore"):
        effect = np.where(first.q_value <= fdr, np.sign(first.value), 0).astype(np.int64)
    return Values(
        study=study.id,
        trials=len(trials),
        ratio=study.subset_size / trials.n,
        fdr=fdr,
        examples=int((~np.isnan(first.value)).sum()),
        effect=effect.tolist(),
        by_class=[
            _of_class(name, first, effect, dataset.y_train == c)
            for c, name in enumerate(dataset.classes)
        ],
        measures=[_measure(name, each) for name, each in found.items()],
        held_out=listed(trials.counted().accuracy_out),
    )


def mean_outcomes(trials: Trials) -> dict[str, NDArray[np.float64]]:
    """Return each outcome's mean over the test set, float64 [T]; without margins accuracy alone."""
    outcomes = {ACCURACY: trials.accuracies().test}
    if trials.test_values is not None:
        probabilities = (expit(row.astype(np.float64)).mean() for row in trials.test_values)
        outcomes[PROBABILITY] = np.fromiter(probabilities, np.float64)
        outcomes[MARGIN] = trials.test_values.mean(axis=1, dtype=np.float64)
    return outcomes


def _measure(name: str, of: DataValues) -> Measure:
    return Measure(
        outcome=name,
        signal=of.signal,
        value=listed(of.value, _DIGITS),
        ci_low=listed(of.ci_low, _DIGITS),
        ci_high=listed(of.ci_high, _DIGITS),
        q_value=listed(of.q_value, _DIGITS),
    )


def _of_class(
    name: str, of: DataValues, effect: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> OfClass:
    known = of.value[chosen & ~np.isnan(of.value)]
    return OfClass(
        name=str(name),
        examples=len(known),
        mean=float(known.mean()) if len(known) else None,
        harmful=int((effect[chosen] < 0).sum()),
        helpful=int((effect[chosen] > 0).sum()),
    )
