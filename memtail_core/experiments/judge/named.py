"""The attributions that memtail computes itself, by name."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations import INFLUENCE_METHODS, InfluenceMethod, Run
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError, did_you_mean
from memtail_core.experiments.judge.matrices import included, outcomes
from memtail_core.experiments.judge.scores import Scores, rows_at_once
from memtail_core.running.trials import Trials

COUNTED, COUNTED_MARGINS = "counted", "counted-margins"
NAMES = (COUNTED, COUNTED_MARGINS, *(method.name for method in INFLUENCE_METHODS))


def counted(name: str, trials: Trials) -> Scores:
    """Score by counting: the mean outcome of trials trained on an example, less that of the others.

    This is Feldman & Zhang's influence for the bits of correctness, and the same for margins.

    Args:
        name: ``counted`` or ``counted-margins``.
        trials: what to count, with margins for the latter.

    Raises:
        EstimationError: there are no margins.
    """
    if name == COUNTED_MARGINS and trials.test_values is None:
        raise EstimationError(f"{COUNTED_MARGINS}: the study keeps no margins")
    return Scores(name, lambda: _counted(name, trials), trials.trials, len(trials))


def approximated(method: InfluenceMethod, dataset: Dataset, runs: Sequence[Run]) -> Scores:
    """Score by an approximation from the study's first trials, trained while being recorded."""

    def blocks() -> Iterator[tuple[int, NDArray[Any]]]:
        between, every = method.between(dataset, runs), np.arange(len(dataset.y_test))
        step = rows_at_once(len(every))
        for start in range(0, len(dataset.y_train), step):
            rows = np.arange(start, min(start + step, len(dataset.y_train)))
            yield start, between(rows, every)

    name = f"{method.name} ({len(runs)} {'run' if len(runs) == 1 else 'runs'})"
    return Scores(name, blocks, np.arange(len(runs)), len(runs))


def method_of(name: str) -> InfluenceMethod:
    """Return the approximation of this name.

    Raises:
        EstimationError: there is none, and no such file.
    """
    for method in INFLUENCE_METHODS:
        if method.name == name:
            return method
    raise EstimationError(
        f"'{name}' is neither a file of scores (.npy, .npz) nor one of {', '.join(NAMES)}"
        f"{did_you_mean(name, list(NAMES))}"
    )


def _counted(name: str, trials: Trials) -> Iterator[tuple[int, NDArray[np.float32]]]:
    outcome = outcomes(trials, is_margin=name == COUNTED_MARGINS)
    total, step = outcome.sum(axis=0, dtype=np.float64), rows_at_once(trials.n_test)
    for start in range(0, trials.n, step):
        inside = included(trials, start, step)
        n_in = inside.sum(axis=0)
        of_in = inside.astype(np.float32).T @ outcome
        with np.errstate(divide="ignore", invalid="ignore"):
            influence = of_in / n_in[:, None] - (total - of_in) / (len(trials) - n_in)[:, None]
        yield start, np.where(np.isfinite(influence), influence, 0).astype(np.float32)
