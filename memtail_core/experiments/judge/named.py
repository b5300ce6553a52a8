"""The attributions that memtail computes itself, by name."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations import INFLUENCE_METHODS, InfluenceMethod, Run
from memtail_core.approximations.combined_influence import combine
from memtail_core.approximations.method import KnowsItself
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError, did_you_mean
from memtail_core.estimation.combined import FEWEST_TRIALS
from memtail_core.experiments.judge.scores import Scores, rows_at_once
from memtail_core.running.matrices import (
    CORRECTNESS,
    MARGIN,
    PROBABILITY,
    included,
    outcomes,
    own_outcomes,
)
from memtail_core.running.trials import Trials

COUNTED = {
    "counted": CORRECTNESS,
    "counted-margins": MARGIN,
    "counted-probabilities": PROBABILITY,
}
COMBINED = "combined"
NAMES = (*COUNTED, COMBINED, *(method.name for method in INFLUENCE_METHODS))

Floats = NDArray[np.float64]


def counted(name: str, trials: Trials) -> Scores:
    """Score by counting: the mean outcome of trials trained on an example, less that of the others.

    This is Feldman & Zhang's influence for the bits of correctness, and the same for margins and
    probabilities. Of an example on itself it is its memorization.

    Args:
        name: one of ``COUNTED``.
        trials: what to count, with margins for all but ``counted``.

    Raises:
        EstimationError: there are no margins.
    """
    outcome = COUNTED[name]
    if outcome != CORRECTNESS and trials.test_values is None:
        raise EstimationError(f"{name}: the study keeps no margins")
    return Scores(
        name,
        lambda: (
            (start, influence.astype(np.float32))
            for start, influence in counted_influence(trials, outcomes(trials, outcome))
        ),
        trials.trials,
        len(trials),
        lambda: _on_itself(trials, outcome),
    )


def combined(dataset: Dataset, trials: Trials, runs: Sequence[Run]) -> Scores:
    """Score by gradients and counting together: :mod:`memtail_core.estimation.combined`.

    Args:
        dataset: the study's data.
        trials: what to count.
        runs: the study's first trials, trained while being recorded.

    Raises:
        EstimationError: the trials are too few.
    """
    if len(trials) < FEWEST_TRIALS:
        raise EstimationError(
            f"{COMBINED} needs at least {FEWEST_TRIALS} models to count: raise --from-trials"
        )

    def blocks() -> Iterator[tuple[int, NDArray[Any]]]:
        influence, every = combine(dataset, trials, runs), np.arange(trials.n_test)
        step = rows_at_once(trials.n_test)
        for start in range(0, trials.n, step):
            yield start, influence.mean(np.arange(start, min(start + step, trials.n)), every)

    used = np.union1d(trials.trials, np.arange(len(runs)))
    name = f"{COMBINED} ({len(trials)} models, {len(runs)} {'run' if len(runs) == 1 else 'runs'})"
    return Scores(name, blocks, used, len(used))


def approximated(method: InfluenceMethod, dataset: Dataset, runs: Sequence[Run]) -> Scores:
    """Score by an approximation from the study's first trials, trained while being recorded."""

    def blocks() -> Iterator[tuple[int, NDArray[Any]]]:
        between, every = method.between(dataset, runs), np.arange(len(dataset.y_test))
        step = rows_at_once(len(every))
        for start in range(0, len(dataset.y_train), step):
            rows = np.arange(start, min(start + step, len(dataset.y_train)))
            yield start, between(rows, every)

    name = f"{method.name} ({len(runs)} {'run' if len(runs) == 1 else 'runs'})"
    itself = None
    if isinstance(method, KnowsItself):
        itself = lambda: method.itself(dataset, runs)  # noqa: E731
    return Scores(name, blocks, np.arange(len(runs)), len(runs), itself)


def method_of(name: str) -> InfluenceMethod:
    """Return the approximation of this name.

    Raises:
        EstimationError: there is none, and no such file.
    """
    for method in INFLUENCE_METHODS:
        if method.name == name:
            return method
    raise EstimationError(
        f"'{name}' is neither a file of scores (.npy, .npz, .zarr) nor one of {', '.join(NAMES)}"
        f"{did_you_mean(name, list(NAMES))}"
    )


def counted_influence(
    trials: Trials, of_tests: NDArray[np.float32]
) -> Iterator[tuple[int, Floats]]:
    """Yield influence counted from trials by blocks: the first example, float64 [b, n_test].

    Args:
        trials: T of them.
        of_tests: what each says of each test example, float32 [T, n_test].
    """
    total, step = of_tests.sum(axis=0, dtype=np.float64), rows_at_once(trials.n_test)
    for start in range(0, trials.n, step):
        inside = included(trials, start, step)
        n_in = inside.sum(axis=0)[:, None]
        of_in = inside.astype(np.float32).T @ of_tests
        yield start, _difference(of_in, n_in, total - of_in, len(trials) - n_in)


def _on_itself(trials: Trials, outcome: str) -> Floats:
    """Return the mean outcome of each example in trials trained on it less that in the others."""
    own = own_outcomes(trials, outcome)
    inside = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(bool)
    of_in = np.where(inside, own, 0).sum(axis=0, dtype=np.float64)
    n_in = inside.sum(axis=0)
    total = own.sum(axis=0, dtype=np.float64)
    return _difference(of_in, n_in, total - of_in, len(trials) - n_in)


def _difference(
    of_in: NDArray[Any], n_in: NDArray[Any], of_out: NDArray[Any], n_out: NDArray[Any]
) -> Floats:
    """Return the difference of means, 0 where one of them is of nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = of_in / n_in - of_out / n_out
    return np.where(np.isfinite(difference), difference, 0)
