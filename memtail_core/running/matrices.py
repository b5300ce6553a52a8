"""Trials as matrices: what each trained on, some examples at a time, and what came of it."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.estimator import UNKNOWN
from memtail_core.estimation.measures import MEASURES, Measure
from memtail_core.running.trials import Trials

MARGIN, PROBABILITY, CORRECTNESS = "margin", "probability", "correctness"


def outcomes(trials: Trials, outcome: str) -> NDArray[np.float32]:
    """Return the outcomes of T trials on the test examples, float32 [T, n_test].

    Args:
        trials: with margins, unless ``outcome`` is correctness.
        outcome: ``margin``, ``probability`` (of the label) or ``correctness``.
    """
    if outcome == CORRECTNESS:
        return _bits(trials.test_correct, trials.n_test)
    assert trials.test_values is not None  # its callers refuse studies without margins
    return _scaled(trials.test_values, outcome)


def ranked(trials: Trials, outcome: str) -> NDArray[np.float32]:
    """Return what has the ranks of the outcomes, float32 [T, n_test].

    A probability grows with its margin, but close to 1 it has no digits left to tell two apart.
    """
    return outcomes(trials, MARGIN if outcome == PROBABILITY else outcome)


def own_outcomes(trials: Trials, outcome: str) -> NDArray[np.float32]:
    """Return the outcomes of T trials on the training examples, float32 [T, n].

    Raises:
        EstimationError: imported trials have none.
    """
    if trials.train_correct is None or (outcome != CORRECTNESS and trials.train_values is None):
        raise EstimationError(UNKNOWN)
    if outcome == CORRECTNESS or trials.train_values is None:
        return _bits(trials.train_correct, trials.n)
    return _scaled(trials.train_values, outcome)


def own_outcomes_block(
    trials: Trials, measure: Measure, start: int, step: int
) -> NDArray[np.float32]:
    """Return a measure of the training examples from ``start``, float32 [T, b].

    Args:
        trials: which; with values, unless the measure is correctness.
        measure: what of their outcomes.
        start, step: a first example and a number of examples, multiples of 8.

    Raises:
        EstimationError: imported trials have none.
    """
    part = slice(start, min(start + step, trials.n))
    return _block(trials.train_correct, trials.train_values, measure, part)


def outcomes_block(trials: Trials, measure: Measure, start: int, step: int) -> NDArray[np.float32]:
    """Return a measure of the test examples from ``start``, float32 [T, b]; as above."""
    part = slice(start, min(start + step, trials.n_test))
    return _block(trials.test_correct, trials.test_values, measure, part)


def included(trials: Trials, start: int, step: int) -> NDArray[np.uint8]:
    """Return which of the training examples from ``start`` each trial trained on, uint8 [T, b].

    Args:
        trials: which.
        start, step: a first example and a number of examples, multiples of 8.
    """
    count = min(step, trials.n - start)
    packed = trials.subset[:, start // 8 : (start + count + 7) // 8]
    return np.unpackbits(packed, axis=1, count=count)


def _block(
    packed: NDArray[np.uint8] | None,
    values: NDArray[np.float16] | None,
    measure: Measure,
    part: slice,
) -> NDArray[np.float32]:
    if measure.value is not None:
        if values is None:
            raise EstimationError(UNKNOWN)
        return measure.of(values[:, part])
    if packed is None:
        raise EstimationError(UNKNOWN)
    return _bits(packed[:, part.start // 8 : -(-part.stop // 8)], part.stop - part.start)


def _bits(packed: NDArray[np.uint8], n: int) -> NDArray[np.float32]:
    return np.unpackbits(packed, axis=1, count=n).astype(np.float32)


def _scaled(margins: NDArray[np.float16], outcome: str) -> NDArray[np.float32]:
    return MEASURES[outcome].of(margins)
