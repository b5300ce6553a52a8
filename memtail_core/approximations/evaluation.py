"""How good an approximation is, compared with the memorization scores of many other models."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.method import AnyMethod, Method
from memtail_core.approximations.run import TRAINING, Run
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.agreement import agreement
from memtail_core.estimation.estimator import UNKNOWN
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.roc import auc_of_columns
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.running.trials import Trials

_RESAMPLES = 200
_SEED = 0
_FEWEST = 20  # trials in a reference

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """A figure and its 95% interval from resampling; None where it is not defined.

    Attributes:
        value, low, high: the figure, and the 2.5% and 97.5% quantiles of resampled figures.
    """

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, resampled: Sequence[float] | Floats) -> "Measured":
        """From a figure and the resampled figures, of which NaN are left out."""
        known = np.asarray(resampled, np.float64)
        known = known[~np.isnan(known)]
        if np.isnan(value) or not len(known):
            return cls(None if np.isnan(value) else float(value), None, None)
        low, high = np.quantile(known, (0.025, 0.975)).tolist()
        return cls(float(value), low, high)


@dataclass(frozen=True)
class Cost:
    """What a method costs with R runs.

    Attributes:
        seconds: of training, of the parts it reads, and of its own arithmetic.
        trainings: the same in units of one training; None without trainings.
    """

    seconds: float
    trainings: float | None


@dataclass(frozen=True)
class Evaluation:
    """One method compared with the reference, over the examples that have both scores.

    Attributes:
        method, source, cost: what was compared.
        pearson, spearman: correlations.
        top: the share of the highest 5% that both have in common.
        auroc: how often a memorized example (≥ 0.25) scores higher than another one.
    """

    method: str
    source: str
    cost: Cost
    pearson: Measured
    spearman: Measured
    top: Measured
    auroc: Measured

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def reference(trials: Trials, used: int) -> tuple[Trials, Memorization]:
    """Return the trials that no approximation has used, and their scores.

    Args:
        trials: the study's.
        used: the number of used trials, 0 … used − 1.

    Raises:
        EstimationError: too few are left, or imported ones have no outcomes of training examples.
    """
    if trials.train_correct is None:
        raise EstimationError(UNKNOWN)
    rest = trials.taken(np.flatnonzero(trials.trials >= used))
    if len(rest) < _FEWEST:
        raise EstimationError(
            f"only {len(rest)} models of the study are left to compare with: train at least "
            f"{used + _FEWEST} (memtail run --trials)"
        )
    return rest, rest.counted()


def reliability(scores: Memorization) -> float:
    """The share of the scores' variance that is not noise: 1 − mean SE² / variance.

    Its square root bounds the correlation with any other score (Spearman 1904).
    """
    known = ~np.isnan(scores.memorization)
    if known.sum() < 2:
        return np.nan
    variance = float(scores.memorization[known].var())
    noise = float(np.square(scores.standard_error[known]).mean())
    return max(0.0, 1 - noise / variance) if variance else np.nan


def timed(method: AnyMethod, runs: Sequence[Run], work: Callable[[], T]) -> tuple[T, Cost]:
    """Do a method's work on runs; return its result and its whole cost.

    The work computes missing parts of the runs; their cost is counted once, with the runs.
    """
    before = sum(sum(run.seconds.values()) for run in runs)
    start = time.perf_counter()
    result = work()
    own = time.perf_counter() - start
    own -= sum(sum(run.seconds.values()) for run in runs) - before
    of_runs = sum(run.cost(method.reads) for run in runs) if method.trains else 0.0
    seconds = max(0.0, own) + of_runs
    one = float(np.mean([run.seconds[TRAINING] for run in runs])) if runs else None
    return result, Cost(seconds, None if one is None else seconds / one)


def evaluated(
    method: Method, dataset: Dataset, runs: Sequence[Run], memorization: Floats
) -> Evaluation:
    """Compare a method's scores with the reference's, float64 [n]."""
    scores, cost = timed(method, runs, lambda: method.scores(dataset, runs))
    known = ~np.isnan(memorization)
    expected, given = memorization[known], scores[known]
    rng = np.random.default_rng(_SEED)
    drawn = [rng.integers(len(expected), size=len(expected)) for _ in range(_RESAMPLES)]
    figures = _figures(expected, given)
    resampled = np.array([_figures(expected[rows], given[rows]) for rows in drawn])
    measured = [Measured.of(v, r) for v, r in zip(figures, resampled.T, strict=True)]
    return Evaluation(method.name, method.source, cost, *measured)


def _figures(expected: Floats, given: Floats) -> tuple[float, float, float, float]:
    correlation = agreement(expected, given, ())
    is_memorized = reaches(expected, THETA_MEM)
    (auroc,) = auc_of_columns(given[:, None], is_memorized[:, None])
    return correlation.pearson, correlation.spearman, correlation.top, float(auroc)
